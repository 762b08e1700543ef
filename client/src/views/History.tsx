// The finished runs of a system: the last day as a picture, then row by row, newest first.
// Never sorts or loads: the model did.
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { csvOf } from "../csv";
import { duration, shortMoment } from "../format";
import { language, texts } from "../language";
import { hasOlder, ROWS } from "../records";
import { elapsedMs, remainingMs, type Room } from "../room";
import type { Session } from "../session";
import { word } from "../texts";
import type { Action } from "../wire";
import { Timeline } from "./Timeline";

export function History({ session, room }: { session: Session; room: Room }) {
  const { records } = room;
  const shown = records.actions.slice(0, records.shown);
  return (
    <section class="history" aria-labelledby="history">
      <h2 id="history">{texts.value.history}</h2>
      <Day room={room} />
      {records.error !== null && (
        <p class="warning" role="status">
          {texts.value.historyFailed} {records.error}
        </p>
      )}
      {shown.length === 0 && records.error === null && <p>{texts.value.noHistory}</p>}
      <ol class="actions" reversed>
        {shown.map((action) => (
          <Row key={action.id} action={action} />
        ))}
      </ol>
      {shown.length > 0 && (
        <div class="history-more">
          {(hasOlder(records) || records.shown > ROWS) && (
            <button
              type="button"
              aria-disabled={!hasOlder(records)}
              onClick={() => {
                if (hasOlder(records)) session.showOlder(room.id);
              }}
            >
              {texts.value.showOlder}
            </button>
          )}
          <Download session={session} id={room.id} />
        </div>
      )}
    </section>
  );
}

/** Drawn anew when something changes, and once a minute: a second would not show. */
function Day({ room }: { room: Room }) {
  const { state, now, records, clockAt } = room;
  const minute = now?.slice(0, "2026-11-23T09:14".length);
  return useMemo(() => {
    if (now === null) return null;
    const running =
      state === null || state.mode === "wait"
        ? null
        : { state, elapsedMs: elapsedMs(room, clockAt) ?? 0, remainingMs: remainingMs(room, clockAt) };
    return <Timeline actions={records.actions} running={running} now={now} />;
  }, [records.actions, state, minute, language.value]);
}

function Download({ session, id }: { session: Session; id: string }) {
  const failed = useSignal(false);
  const download = async (): Promise<void> => {
    try {
      const csv = csvOf(await session.wholeHistory(id));
      failed.value = false;
      save(new Blob([csv], { type: "text/csv" }), `acequia-${id}.csv`);
    } catch {
      failed.value = true;
    }
  };
  return (
    <>
      <button type="button" onClick={() => void download()}>
        {texts.value.downloadCsv}
      </button>
      <div role="status">{failed.value && <p class="warning">{texts.value.csvFailed}</p>}</div>
    </>
  );
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by the next turn.
  setTimeout(() => {
    URL.revokeObjectURL(address);
  });
}

function Row({ action }: { action: Action }) {
  const words = texts.value;
  return (
    <li>
      <p class="actions-when">
        <Span start={action.start} end={action.end} />
      </p>
      <p class="actions-what">
        <span class={`tag mode-${action.mode}`}>{words.mode[action.mode]}</span> {word(words.outcome, action.outcome)}
        {action.by !== null && (
          <span class="faint">
            {" "}
            · {words.askedBy.toLowerCase()} {action.by}
          </span>
        )}
        {action.ended_by !== null && (
          <span class="faint">
            {" "}
            · {words.timeline.endedBy} {action.ended_by}
          </span>
        )}
      </p>
      <p class="actions-long">
        {words.planned} <b>{action.planned_ms === null ? words.noPlan : duration(action.planned_ms, language.value)}</b>
        {" · "}
        {words.real} <b>{action.duration_ms === null ? words.unknown : duration(action.duration_ms, language.value)}</b>
      </p>
    </li>
  );
}

/** The date is said again only where the run went past midnight. */
function Span({ start, end }: { start: string; end: string | null }) {
  const from = shortMoment(start);
  const to = end === null ? null : shortMoment(end);
  return (
    <>
      <time class="faint">{from.date}</time> <time>{from.time}</time> →{" "}
      {to === null ? (
        texts.value.unknownEnd
      ) : (
        <>
          {to.date !== from.date && <time class="faint">{to.date} </time>}
          <time>{to.time}</time>
        </>
      )}
    </>
  );
}
