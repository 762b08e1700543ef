// One system from top to bottom: link, clock, state, commands, history.
// Never asks the gateway for anything itself: it draws a session.
import { useComputed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { moment } from "../format";
import { texts } from "../language";
import { secondsWithoutNews } from "../model";
import type { Session } from "../session";
import { Commands } from "./Commands";
import { History } from "./History";
import { StatePanel } from "./StatePanel";

export function SystemPage({ session }: { session: Session }) {
  const { id, link, profile } = session.model.value;
  const name = profile?.name ?? id;

  useEffect(() => {
    document.title = `${name} · acequia`;
  }, [name]);

  if (link === "missing") return <Missing id={id} />;
  return (
    <>
      <nav>
        <a class="back" href="/">
          <span aria-hidden="true">‹ </span>
          {texts.value.backToList}
        </a>
      </nav>
      <h1>{name}</h1>
      <ClockLine session={session} />
      <ClockNotice session={session} />
      <LinkLine session={session} />
      <StatePanel session={session} />
      <Commands session={session} />
      <History session={session} />
    </>
  );
}

function Missing({ id }: { id: string }) {
  return (
    <section class="missing" role="alert">
      <h1>{texts.value.missing(id)}</h1>
      <a class="action-link" href="/">
        {texts.value.backToList}
      </a>
    </section>
  );
}

/** Not a live region: a screen reader that spoke every second would say nothing else. */
function ClockLine({ session }: { session: Session }) {
  const now = session.model.value.now;
  const { date, time } = now === null ? { date: "", time: "–" } : moment(now);
  return (
    <p class="clock">
      <span class="hidden">{texts.value.serverClock} </span>
      <time class="clock-time">{time}</time> <time class="clock-date">{date}</time>
    </p>
  );
}

function ClockNotice({ session }: { session: Session }) {
  const isSet = session.model.value.clockPlausible;
  return <div role="status">{!isSet && <p class="warning">{texts.value.clockNotSet}</p>}</div>;
}

/** What stands between this page and the present; silent while all is well. */
function LinkLine({ session }: { session: Session }) {
  const { link, joinError } = session.model.value;
  const silence = useComputed(() => secondsWithoutNews(session.model.value, session.at.value));
  const words = { connecting: texts.value.connecting, lost: texts.value.lost, joined: "", missing: "" };
  const refusal = joinError === null ? "" : `${texts.value.joinFailed} ${joinError}`;
  const said = `${words[link]} ${refusal}`.trim();
  return (
    <div class="link">
      <div role="status">{said !== "" && <p class="warning">{said}</p>}</div>
      {silence.value !== null && <p class="warning">{texts.value.noNews(silence.value)}</p>}
    </div>
  );
}
