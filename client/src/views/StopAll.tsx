// Stops every system, after one question: on this page, unlike on that of a system, a slip would reach far.
// What came of it is said until the next time.
import { useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";
import { isStopping, NO_ASKS } from "../asks";
import { texts } from "../language";
import type { Model } from "../model";
import type { Session } from "../session";
import type { Texts } from "../texts";

export function StopAll({ session, running, all }: { session: Session; running: number; all: number }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const said = useComputed(() => inWords(session.model.value, texts.value));
  return (
    <>
      <div class="stop-bar">
        <div class="stop-bar-inner">
          <button type="button" class="stop" onClick={() => dialog.current?.showModal()}>
            {texts.value.stopAll}
          </button>
          <div class="outcome">
            <p role="status">{said.value}</p>
          </div>
        </div>
      </div>
      <dialog ref={dialog} class="question" aria-labelledby="question">
        <form method="dialog">
          <h2 id="question">{texts.value.stopAllQuestion(running)}</h2>
          <p>{texts.value.stopAllHint(running, all)}</p>
          <button type="submit" class="stop" onClick={session.stopAll}>
            {texts.value.stopAll}
          </button>
          <button type="submit" class="cancel" autofocus>
            {texts.value.cancel}
          </button>
        </form>
      </dialog>
    </>
  );
}

function inWords({ stopAll, rooms }: Model, words: Texts): string {
  if (stopAll === null) return "";
  const all = stopAll.ids.map((id) => ({ id, asks: rooms.get(id)?.asks ?? NO_ASKS }));
  const refused = all.filter(({ asks }) => asks.notice?.kind === "refused");
  if (refused.length > 0) return words.stopAllRefused(refused.map(({ id }) => id).join(", "));
  const confirmed = all.filter(({ asks }) => !isStopping(asks)).length;
  const isDone = confirmed === all.length && !stopAll.isLooking;
  return isDone ? words.stopAllDone : words.stopAllSent(confirmed, all.length);
}
