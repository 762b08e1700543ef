// The three commands and what came of the last one. STOP is the largest, stays at the foot of the screen, asks nothing
// and can always be pressed, by S and Esc too. What opens a valve is off while it is not known what runs.
import { useComputed, useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Asks, Notice } from "../asks";
import { duration, fieldsOf, lengthOf } from "../format";
import { language, texts } from "../language";
import { recall, remember } from "../remembered";
import { mayStart, type Room } from "../room";
import type { Session } from "../session";
import { word, type Texts } from "../texts";

/** Seconds. */
const PRESETS = [10, 60, 300, 900, 1800];

export function Commands({ session, room }: { session: Session; room: Room }) {
  const { id } = room;
  const isOff = useComputed(() => {
    const known = session.model.value.rooms.get(id);
    return known === undefined || !mayStart(known, session.at.value);
  }).value;
  const stop = (): void => {
    session.command(id, "stop");
  };
  useStopKeys(stop);
  return (
    <section class="commands" aria-label={texts.value.commands}>
      <div class="stop-bar">
        <div class="stop-bar-inner">
          <button type="button" class="stop" aria-keyshortcuts="S Escape" onClick={stop}>
            {texts.value.command.stop}
            <span class="stop-keys" aria-hidden="true">
              {texts.value.stopKeys}
            </span>
          </button>
          <Outcome asks={room.asks} />
        </div>
      </div>
      <TimerForm session={session} room={room} isOff={isOff} />
      <Start
        isOff={isOff}
        kind="start-manual"
        onPress={() => {
          session.command(id, "manual");
        }}
      >
        {texts.value.command.manual}
      </Start>
    </section>
  );
}

interface StartProps {
  isOff: boolean;
  kind?: string;
  /** Without it, the button sends its form. */
  onPress?: () => void;
  children: ComponentChildren;
}

/** Off without being `disabled`: the focus would be lost when it goes off. */
function Start({ isOff, kind = "", onPress, children }: StartProps) {
  return (
    <button
      type={onPress === undefined ? "submit" : "button"}
      class={`start ${kind}`}
      aria-disabled={isOff}
      onClick={(event) => {
        if (isOff) event.preventDefault();
        else onPress?.();
      }}
    >
      {children}
    </button>
  );
}

/** A key that is held down is one wish, not many. Where S is another letter, the key counts that lies there. */
function useStopKeys(stop: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isStop = event.key === "Escape" || event.key.toLowerCase() === "s" || event.code === "KeyS";
      if (!isStop || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      stop();
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
    };
  });
}

function TimerForm({ session, room, isOff }: { session: Session; room: Room; isOff: boolean }) {
  const { id, profile } = room;
  const chosen = useSignal(fieldsOrNone(recall(`timer.${id}`)));
  const fields = chosen.value ?? fieldsOrNone(profile === null ? null : String(profile.timerSeconds));
  const length = fields === null ? null : lengthOf(fields.minutes, fields.seconds);

  const start = (event: SubmitEvent): void => {
    event.preventDefault();
    if (isOff) return;
    if (length === null) {
      session.refuseLength(id);
      return;
    }
    remember(`timer.${id}`, String(length));
    session.command(id, "timer", length);
  };
  return (
    <form class="timer" noValidate onSubmit={start}>
      <fieldset>
        <legend>{texts.value.length}</legend>
        <div class="presets">
          {PRESETS.map((preset) => (
            <button
              key={preset}
              type="button"
              aria-pressed={preset === length}
              onClick={() => {
                chosen.value = fieldsOf(preset);
                remember(`timer.${id}`, String(preset));
              }}
            >
              {duration(preset * 1000, language.value)}
            </button>
          ))}
        </div>
        <div class="length">
          <Field name="minutes" unit="min" fields={fields} chosen={chosen} isBad={length === null} />
          <Field name="seconds" unit="s" fields={fields} chosen={chosen} isBad={length === null} />
        </div>
      </fieldset>
      <Start isOff={isOff}>
        {length === null ? texts.value.command.timer : texts.value.timerOf(duration(length * 1000, language.value))}
      </Start>
    </form>
  );
}

interface Fields {
  minutes: string;
  seconds: string;
}

interface FieldProps {
  name: keyof Fields;
  unit: string;
  fields: Fields | null;
  chosen: Signal<Fields | null>;
  isBad: boolean;
}

function Field({ name, unit, fields, chosen, isBad }: FieldProps) {
  const written = fields ?? { minutes: "", seconds: "" };
  return (
    <label class="field">
      <span class="hidden">{texts.value[name]}</span>
      <input
        type="text"
        inputMode="numeric"
        autoComplete="off"
        maxLength={6}
        value={written[name]}
        aria-invalid={fields !== null && isBad}
        onFocus={(event) => {
          event.currentTarget.select();
        }}
        onInput={(event) => {
          chosen.value = { ...written, [name]: event.currentTarget.value.trim() };
        }}
      />
      <span aria-hidden="true">{unit}</span>
    </label>
  );
}

function fieldsOrNone(length: string | null): Fields | null {
  return length === null || lengthOf("", length) === null ? null : fieldsOf(Number(length));
}

function Outcome({ asks }: { asks: Asks }) {
  const { pending, notice } = asks;
  const isBad = notice !== null && notice.kind !== "done" && notice.kind !== "unchanged";
  const attempt = pending?.attempt ?? 1;
  return (
    <div class={isBad ? "outcome warning" : "outcome"}>
      <p role="status">{inWords(asks, texts.value)}</p>
      {attempt > 1 && <p aria-hidden="true">{texts.value.times(attempt)}</p>}
    </div>
  );
}

function inWords({ pending, notice }: Asks, words: Texts): string {
  if (pending === null) return notice === null ? "" : noticeInWords(notice, words);
  if (pending.attempt === 1) return words.sent[pending.command];
  return pending.command === "stop" ? words.stopSentAgain : words.sentAgain;
}

function noticeInWords(notice: Notice, words: Texts): string {
  switch (notice.kind) {
    case "done":
      return words.done[notice.command];
    case "unchanged":
      return word(words.reason, notice.reason);
    case "refused":
      return `${words.refused} ${notice.message}`;
    case "no_answer":
      return words.noAnswer[notice.command];
    case "bad_length":
      return words.badLength;
  }
}
