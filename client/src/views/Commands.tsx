// The three commands and what came of the last one. STOP is the largest, stays at the foot of the
// screen and can always be pressed; nothing here is ever disabled, since every command is answered in words.
import { useSignal } from "@preact/signals";
import { duration, LONGEST_SECONDS, wholeSeconds } from "../format";
import { language, texts } from "../language";
import type { Notice } from "../model";
import type { Session } from "../session";
import { word, type Texts } from "../texts";

export function Commands({ session }: { session: Session }) {
  return (
    <section class="commands" aria-label={texts.value.commands}>
      <div class="stop-bar">
        <Outcome session={session} />
        <button
          type="button"
          class="stop"
          onClick={() => {
            session.command("stop");
          }}
        >
          {texts.value.command.stop}
        </button>
      </div>
      <TimerForm session={session} />
      <button
        type="button"
        class="start"
        onClick={() => {
          session.command("manual");
        }}
      >
        {texts.value.command.manual}
      </button>
    </section>
  );
}

function TimerForm({ session }: { session: Session }) {
  /** Null until the person types: then the system's own length is meant. */
  const typed = useSignal<string | null>(null);
  const written = typed.value ?? String(session.model.value.profile?.timerSeconds ?? "");
  const seconds = wholeSeconds(written);
  const start = (event: SubmitEvent): void => {
    event.preventDefault();
    if (seconds === null) session.refuseSeconds();
    else session.command("timer", seconds);
  };
  return (
    <form class="timer" noValidate onSubmit={start}>
      <label for="seconds">
        {texts.value.seconds}
        <span class="faint"> {seconds !== null && seconds >= 60 && `= ${lengthOf(seconds)}`}</span>
      </label>
      <input
        id="seconds"
        type="number"
        inputMode="numeric"
        min={1}
        max={LONGEST_SECONDS}
        step={1}
        value={written}
        aria-invalid={typed.value !== null && seconds === null}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
      />
      <button type="submit" class="start">
        {texts.value.command.timer}
      </button>
    </form>
  );
}

function Outcome({ session }: { session: Session }) {
  const { notice, pending } = session.model.value;
  const isBad = notice !== null && notice.kind !== "done" && notice.kind !== "unchanged";
  return (
    <p class={isBad ? "outcome warning" : "outcome"} role="status">
      {pending !== null ? texts.value.sending : notice !== null && inWords(notice, texts.value)}
    </p>
  );
}

function inWords(notice: Notice, words: Texts): string {
  switch (notice.kind) {
    case "done":
      return words.done[notice.command];
    case "unchanged":
      return word(words.reason, notice.reason);
    case "refused":
      return `${words.refused} ${notice.message}`;
    case "no_answer":
      return words.noAnswer[notice.command];
    case "bad_seconds":
      return words.badSeconds;
  }
}

function lengthOf(seconds: number): string {
  return duration(seconds * 1000, language.value);
}
