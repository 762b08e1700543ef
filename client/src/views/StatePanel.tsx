// What the water does now: mode, time left, since when, until when, at whose wish.
// The mode is a live region; the figures that tick are not.
import { useComputed } from "@preact/signals";
import { countdown, duration, moment, shortMoment, stopwatch } from "../format";
import { language, texts } from "../language";
import { elapsedMs, freshness, remainingMs, type Room } from "../room";
import type { Session } from "../session";
import type { Action, State } from "../wire";
import { ModeIcon } from "./Icon";

export function StatePanel({ session, room }: { session: Session; room: Room }) {
  const { state } = room;
  const isUnknown = useComputed(() => {
    const known = session.model.value.rooms.get(room.id);
    return known !== undefined && freshness(known, session.at.value).level === "unknown";
  }).value;
  const mode = state?.mode ?? "wait";
  const last = room.records.actions[0];
  return (
    <section class={`state ${state === null ? "" : `mode-${mode}`} ${isUnknown ? "state-unknown" : ""}`}>
      <div class="state-said" aria-live="polite" aria-atomic="true">
        {state !== null && (
          <>
            {isUnknown && <p class="state-unknown-note">{texts.value.lastKnown}</p>}
            <h2 class="state-mode">
              <ModeIcon mode={mode} /> {texts.value.mode[mode]}
            </h2>
            <p class="state-hint">{texts.value.modeHint[mode]}</p>
          </>
        )}
      </div>
      {state === null && <p>{texts.value.loading}</p>}
      {mode === "wait" && last !== undefined && <LastRun action={last} />}
      {state !== null && mode !== "wait" && (
        <>
          <Figures session={session} id={room.id} />
          <Run state={state} now={room.now} />
        </>
      )}
    </section>
  );
}

/** A timer counts down; a manual run counts up, and says when it will end by itself. */
function Figures({ session, id }: { session: Session; id: string }) {
  const known = useComputed(() => session.model.value.rooms.get(id));
  const left = useComputed(() => (known.value === undefined ? null : remainingMs(known.value, session.at.value)));
  const gone = useComputed(() => (known.value === undefined ? 0 : (elapsedMs(known.value, session.at.value) ?? 0)));
  const isTimer = known.value?.state?.mode === "timer";
  return (
    <>
      <p class="figure" role="timer" aria-live="off">
        <span class="figure-number">{isTimer ? countdown(left.value ?? 0) : stopwatch(gone.value)}</span>{" "}
        {isTimer ? texts.value.remaining : texts.value.running}
      </p>
      {!isTimer && left.value !== null && (
        <p class="figure-end">
          {texts.value.stopsByItself} <b>{countdown(left.value)}</b>
        </p>
      )}
      {left.value !== null && <progress aria-hidden="true" max={gone.value + left.value} value={gone.value} />}
    </>
  );
}

/** Whether the field had its water. */
function LastRun({ action }: { action: Action }) {
  const { date, time } = shortMoment(action.start);
  return (
    <dl class="run run-last">
      <div>
        <dt>{texts.value.lastRun}</dt>
        <dd>
          <time>{date}</time> <time>{time}</time> · {texts.value.mode[action.mode]} ·{" "}
          {action.duration_ms === null ? texts.value.unknownEnd : duration(action.duration_ms, language.value)}
        </dd>
      </div>
    </dl>
  );
}

function Run({ state, now }: { state: State; now: string | null }) {
  const today = now === null ? "" : moment(now).date;
  return (
    <dl class="run">
      <div>
        <dt>{texts.value.began}</dt>
        <dd>{state.start === null ? texts.value.unknown : <Moment written={state.start} today={today} />}</dd>
      </div>
      <div>
        <dt>{texts.value.ends}</dt>
        <dd>{state.end === null ? texts.value.endsByHand : <Moment written={state.end} today={today} />}</dd>
      </div>
      {state.by !== null && (
        <div>
          <dt>{texts.value.askedBy}</dt>
          <dd>{state.by}</dd>
        </div>
      )}
    </dl>
  );
}

/** Today's date is in the clock line already. */
function Moment({ written, today }: { written: string; today: string }) {
  const { date, time } = shortMoment(written);
  return (
    <>
      <time>{time}</time> {date !== today && <time class="faint">{date}</time>}
    </>
  );
}
