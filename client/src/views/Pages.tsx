// The way through a list that is longer than a page. Shows nothing where it is not.
import type { Signal } from "@preact/signals";
import { texts } from "../language";
import type { Arrangement } from "../list";

export function Pages({ cards, page }: { cards: Arrangement; page: Signal<number> }) {
  if (cards.pages <= 1) return null;
  const go = (to: number): void => {
    page.value = to;
    scrollTo(0, 0);
  };
  return (
    <nav class="pages" aria-label={texts.value.pageOf(cards.page + 1, cards.pages)}>
      <button type="button" disabled={cards.page === 0} onClick={() => { go(cards.page - 1); }}>
        {texts.value.previousPage}
      </button>
      <span aria-hidden="true">{texts.value.pageOf(cards.page + 1, cards.pages)}</span>
      <button type="button" disabled={cards.page + 1 === cards.pages} onClick={() => { go(cards.page + 1); }}>
        {texts.value.nextPage}
      </button>
    </nav>
  );
}
