// What the water does now: mode, time left, since when, until when, at whose wish.
// The mode is a live region; the figures that tick are not.
import { useComputed } from "@preact/signals";
import { countdown, moment, shortMoment, stopwatch } from "../format";
import { texts } from "../language";
import { elapsedMs, remainingMs, secondsWithoutNews } from "../model";
import type { Session } from "../session";
import type { State } from "../wire";

export function StatePanel({ session }: { session: Session }) {
  const { state } = session.model.value;
  const stale = useComputed(() => secondsWithoutNews(session.model.value, session.at.value) !== null);
  const mode = state?.mode ?? "wait";
  return (
    <section class={`state ${state === null ? "" : `state-${mode}`} ${stale.value ? "state-stale" : ""}`}>
      <div class="state-said" aria-live="polite" aria-atomic="true">
        {state !== null && (
          <>
            {stale.value && <p class="state-stale-note">{texts.value.lastKnown}</p>}
            <h2 class="state-mode">{texts.value.mode[mode]}</h2>
            <p class="state-hint">{texts.value.modeHint[mode]}</p>
          </>
        )}
      </div>
      {state === null && <p>{texts.value.loading}</p>}
      {state !== null && state.mode !== "wait" && (
        <>
          <Figures session={session} />
          <Run state={state} now={session.model.value.now} />
        </>
      )}
    </section>
  );
}

function Figures({ session }: { session: Session }) {
  const left = useComputed(() => remainingMs(session.model.value, session.at.value));
  const gone = useComputed(() => elapsedMs(session.model.value, session.at.value) ?? 0);
  if (left.value === null) {
    return (
      <p class="figure" role="timer" aria-live="off">
        <span class="figure-number">{stopwatch(gone.value)}</span> {texts.value.running}
      </p>
    );
  }
  return (
    <>
      <p class="figure" role="timer" aria-live="off">
        <span class="figure-number">{countdown(left.value)}</span> {texts.value.remaining}
      </p>
      <progress aria-hidden="true" max={gone.value + left.value} value={gone.value} />
    </>
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
