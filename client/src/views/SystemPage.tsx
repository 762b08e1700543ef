// One system from top to bottom: clock, trust, state, commands, history.
// Never asks the gateway for anything itself: it draws a session.
import { useComputed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { moment } from "../format";
import { texts } from "../language";
import { unconfirmedStops } from "../model";
import type { Room } from "../room";
import type { Session } from "../session";
import { Commands } from "./Commands";
import { History } from "./History";
import { LinkLine } from "./LinkLine";
import { StatePanel } from "./StatePanel";

export function SystemPage({ session, id }: { session: Session; id: string }) {
  const room = useComputed(() => session.model.value.rooms.get(id)).value;
  const name = room?.profile?.name ?? id;
  const mode = room?.state?.mode;

  useEffect(() => {
    document.title = mode === undefined ? `${name} · acequia` : `${texts.value.mode[mode]} · ${name} · acequia`;
  }, [name, mode, texts.value]);

  if (room === undefined || room.membership === "missing") return <Missing id={id} />;
  return (
    <div class="system">
      <div class="system-now">
        <h1>{name}</h1>
        <ClockNotice session={session} />
        <StopsElsewhere session={session} id={id} />
        <div class="known">
          <ClockLine room={room} />
          <LinkLine session={session} find={(model) => model.rooms.get(id) ?? null} />
        </div>
        <StatePanel session={session} room={room} />
        <Commands session={session} room={room} />
      </div>
      <History session={session} room={room} />
    </div>
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

/** Stops that an earlier page of this tab could not see confirmed: this one goes on sending them. */
function StopsElsewhere({ session, id }: { session: Session; id: string }) {
  const names = useComputed(() =>
    unconfirmedStops(session.model.value)
      .map((stop) => stop.id)
      .filter((each) => each !== id)
      .join(", "),
  ).value;
  return <div role="status">{names !== "" && <p class="warning">{texts.value.unconfirmedStops(names)}</p>}</div>;
}

/** Not a live region: a screen reader that spoke every second would say nothing else. */
function ClockLine({ room }: { room: Room }) {
  const { date, time } = room.now === null ? { date: "", time: "–" } : moment(room.now);
  return (
    <p class="clock">
      <span class="hidden">{texts.value.serverClock} </span>
      <time class="clock-time">{time}</time> <time class="clock-date">{date}</time>
    </p>
  );
}

export function ClockNotice({ session }: { session: Session }) {
  const isSet = useComputed(() => session.model.value.clockPlausible);
  return <div role="status">{!isSet.value && <p class="warning">{texts.value.clockNotSet}</p>}</div>;
}
