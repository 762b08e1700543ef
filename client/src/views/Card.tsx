// One system at a glance: name, mode, time, and how far that can be trusted. The whole card is a link to its page.
import { useComputed } from "@preact/signals";
import { countdown, stopwatch } from "../format";
import { texts } from "../language";
import { addressOf } from "../place";
import { elapsedMs, freshness, remainingMs } from "../room";
import type { Session } from "../session";
import { ModeIcon } from "./Icon";
import { inWords } from "./LinkLine";

export function Card({ session, id }: { session: Session; id: string }) {
  const room = useComputed(() => session.model.value.rooms.get(id));
  const listed = useComputed(() => session.model.value.list.systems?.get(id));
  const isRunning = useComputed(() => session.model.value.list.running.has(id));
  const doubt = useComputed(() => {
    const known = room.value;
    if (known === undefined || known.membership === "out") return null;
    const fresh = freshness(known, session.at.value);
    return fresh.level === "live" ? null : fresh;
  });

  const listedMode = isRunning.value ? (listed.value?.state.mode ?? "wait") : "wait";
  const mode = room.value?.state?.mode ?? listedMode;
  const level = doubt.value?.level ?? "live";
  return (
    <a class={`card mode-${mode}`} href={addressOf(id)} data-freshness={level}>
      <span class="card-what">
        <span class="card-name">{room.value?.profile?.name ?? listed.value?.name ?? id}</span>{" "}
        <span class="card-mode">
          <ModeIcon mode={mode} /> {texts.value.mode[mode]}
        </span>
      </span>{" "}
      <Time session={session} id={id} />
      {doubt.value !== null && <span class="card-doubt">{inWords(doubt.value, texts.value)}</span>}
    </a>
  );
}

function Time({ session, id }: { session: Session; id: string }) {
  const isTimer = useComputed(() => session.model.value.rooms.get(id)?.state?.mode === "timer");
  const written = useComputed(() => {
    const room = session.model.value.rooms.get(id);
    if (room?.state == null || room.state.mode === "wait") return null;
    const left = remainingMs(room, session.at.value);
    return room.state.mode === "timer" ? countdown(left ?? 0) : stopwatch(elapsedMs(room, session.at.value) ?? 0);
  });
  if (written.value === null) return null;
  return (
    <span class="card-time">
      <b>{written.value}</b> {isTimer.value ? texts.value.remaining : texts.value.running}
    </span>
  );
}
