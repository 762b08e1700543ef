// All systems of the gateway: what runs first, how many, and one button that stops them all.
// Never commands one system: that is what its page is for.
import { useComputed, useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { texts } from "../language";
import { arranged, CARDS, SEARCHED_FROM, type Arrangement } from "../list";
import type { Session } from "../session";
import { heardLast } from "../model";
import { freshness } from "../room";
import { Card } from "./Card";
import { LinkLine } from "./LinkLine";
import { Pages } from "./Pages";
import { StopAll } from "./StopAll";
import { ClockNotice } from "./SystemPage";
import { useInSight, useKeptFocus } from "./inSight";

export function Overview({ session }: { session: Session }) {
  const list = useComputed(() => session.model.value.list);
  const running = useRunning(session);
  const search = useSignal("");
  const page = useSignal(0);
  const cards = useComputed(() => arranged(list.value, running.value, search.value.trim(), page.value));
  const count = list.value.systems?.size ?? 0;

  useEffect(() => {
    document.title = `${texts.value.systems} · acequia`;
  }, [texts.value]);

  return (
    <>
      <h1>{texts.value.systems}</h1>
      <ClockNotice session={session} />
      {count > 0 && <LinkLine session={session} find={heardLast} />}
      <Summary session={session} running={running.value.size} all={count} />
      <div role="status">{list.value.failed && <p class="warning">{texts.value.listFailed}</p>}</div>
      {list.value.systems === null && !list.value.failed && <p>{texts.value.loading}</p>}
      {list.value.systems !== null && count === 0 && <p>{texts.value.noSystems}</p>}
      {count >= SEARCHED_FROM && (
        <input
          type="search"
          class="search"
          aria-label={texts.value.search}
          placeholder={texts.value.search}
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
            page.value = 0;
          }}
        />
      )}
      <Cards session={session} cards={cards} />
      <Pages cards={cards.value} page={page} />
      {count > 0 && <StopAll session={session} running={running.value.size} all={count} />}
    </>
  );
}

function Summary({ session, running, all }: { session: Session; running: number; all: number }) {
  const isUnknown = useComputed(() => {
    const room = heardLast(session.model.value);
    return room !== null && freshness(room, session.at.value).level === "unknown";
  });
  return (
    <p class="summary" role="status">
      {isUnknown.value && `${texts.value.lastKnown} `}
      {all > 0 && texts.value.howManyRun(running, all)}
    </p>
  );
}

function Cards({ session, cards }: { session: Session; cards: ReadonlySignal<Arrangement> }) {
  const root = useRef<HTMLDivElement>(null);
  const { running, waiting, found } = cards.value;
  const all = useComputed(() => session.model.value.list.systems?.size ?? 0);
  const inSight = useInSight(root, [...running, ...waiting]);
  const ids = useComputed(() => [...(session.model.value.list.systems?.keys() ?? [])]);
  // A list that fits on one page is joined as a whole, whatever is searched; of a longer one, what is in sight.
  const wanted = (all.value <= CARDS ? [...ids.value] : [...inSight]).sort().join(" ");

  useKeptFocus(root, [...running, ...waiting].join(" "));
  useEffect(() => {
    session.want(wanted === "" ? [] : wanted.split(" "));
  }, [session, wanted]);

  return (
    <div ref={root}>
      {all.value > 0 && found === 0 && <p>{texts.value.nothingFound}</p>}
      <Group session={session} title={texts.value.runningGroup} ids={running} />
      <Group session={session} title={texts.value.waitingGroup} ids={waiting} />
    </div>
  );
}

function Group({ session, title, ids }: { session: Session; title: string; ids: readonly string[] }) {
  if (ids.length === 0) return null;
  return (
    <section class="group">
      <h2>{title}</h2>
      <ul class="cards">
        {ids.map((id) => (
          <li key={id} data-system={id}>
            <Card session={session} id={id} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What runs as far as is known: the rooms that are looked at know better than the list. */
function useRunning(session: Session): ReadonlySignal<ReadonlySet<string>> {
  const known = useComputed(() => session.model.value.list.running);
  // A text changes only when it differs, so that a clock draws nothing here.
  const modes = useComputed(() =>
    [...session.model.value.rooms.values()]
      .filter((room) => room.membership !== "out" && room.state !== null)
      .map((room) => `${room.id}:${room.state?.mode ?? ""}`)
      .join(" "),
  );
  return useComputed(() => {
    const running = new Set(known.value);
    for (const entry of modes.value.split(" ")) {
      const [id, mode] = entry.split(":");
      if (id === undefined || mode === undefined) continue;
      if (mode === "wait") running.delete(id);
      else running.add(id);
    }
    return running;
  });
}
