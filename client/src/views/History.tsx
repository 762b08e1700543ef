// The last runs of a system, newest first. Never sorts or cuts: the model did.
import { duration, shortMoment } from "../format";
import { language, texts } from "../language";
import type { Session } from "../session";
import { word } from "../texts";
import type { Action } from "../wire";

export function History({ session }: { session: Session }) {
  const { actions, historyError } = session.model.value;
  return (
    <section class="history">
      <h2>{texts.value.history}</h2>
      {historyError !== null && (
        <p class="warning" role="status">
          {texts.value.historyFailed} {historyError}
        </p>
      )}
      {actions.length === 0 && historyError === null && <p>{texts.value.noHistory}</p>}
      <ol class="actions" reversed>
        {actions.map((action) => (
          <Row key={action.id} action={action} />
        ))}
      </ol>
    </section>
  );
}

function Row({ action }: { action: Action }) {
  const words = texts.value;
  return (
    <li>
      <p class="actions-when">
        <Span start={action.start} end={action.end} />
      </p>
      <p class="actions-what">
        <span class={`tag tag-${action.mode}`}>{words.mode[action.mode]}</span> {word(words.outcome, action.outcome)}
        {action.by !== null && (
          <span class="faint">
            {" "}
            · {words.askedBy.toLowerCase()} {action.by}
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
