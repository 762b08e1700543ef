// How far what is shown can be trusted: live, late, unknown. Always there and always as tall, so that nothing moves
// under a finger. Seconds are counted in silence; what changes is said.
import { useComputed } from "@preact/signals";
import { texts } from "../language";
import type { Model } from "../model";
import { freshness, type Freshness, type Room } from "../room";
import type { Session } from "../session";
import type { Texts } from "../texts";

/** `find`: the room that the line is about. */
export function LinkLine({ session, find }: { session: Session; find: (model: Model) => Room | null }) {
  const room = useComputed(() => find(session.model.value));
  const fresh = useComputed<Freshness>(() =>
    room.value === null ? { level: "live" } : freshness(room.value, session.at.value),
  );
  const level = useComputed(() => fresh.value.level);
  const isStoreAway = useComputed(() => fresh.value.level !== "live" && fresh.value.isStoreAway);
  const isNew = useComputed(() => room.value?.now == null && level.value !== "unknown");
  const said = useComputed(() => {
    return isNew.value ? texts.value.connecting : inWords(fresh.value, texts.value);
  });
  const joinError = room.value?.joinError ?? null;
  const words = texts.value;
  const says = { live: words.live, late: words.late, unknown: "" };
  // Where no room is looked at, nothing is heard, and nothing is wrong.
  if (room.value === null) return null;
  return (
    <div class="link" data-freshness={level.value} data-store={isStoreAway.value ? "away" : undefined}>
      <p class="link-line">
        <span class="link-dot" aria-hidden="true" />
        {said}
      </p>
      <div role="alert">
        {level.value === "unknown" && (
          <p class="link-hint">
            <span class="hidden">{said} </span>
            {isStoreAway.value ? words.storeAwayHint : words.unknownHint}
          </p>
        )}
      </div>
      <div role="status">
        <span class="hidden">{!isNew.value && !isStoreAway.value && says[level.value]}</span>
        {isStoreAway.value && level.value === "late" && <p class="link-hint">{words.storeAwayHint}</p>}
        {joinError !== null && (
          <p class="link-hint">
            {words.joinFailed} {joinError}
          </p>
        )}
      </div>
    </div>
  );
}

export function inWords(fresh: Freshness, words: Texts): string {
  switch (fresh.level) {
    case "live":
      return words.live;
    case "late":
      return fresh.isStoreAway ? words.stateOf(fresh.seconds) : words.noNews(fresh.seconds);
    case "unknown":
      return fresh.since === null ? words.stateUnknown : words.stateUnknownSince(fresh.since);
  }
}
