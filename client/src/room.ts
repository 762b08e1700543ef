// What this page knows of one system, and how its news changes that: the seq rule, the age of what is known, the
// countdown. Never touches the network, the document or a clock: moments arrive as `at`.
import { NO_ASKS, overtaken, type Asks } from "./asks";
import { secondsOf, timeLabel } from "./civil";
import type { Effect, Instant } from "./events";
import { NO_RECORDS, type Records } from "./records";
import type { Clock, Refusal, State, System } from "./wire";

/** A room that is this old without a clock is late, and then unknown. */
const LIVE_MS = 3000;
const KNOWN_MS = 10_000;

/** Without a clock for so long, a room that should have one is joined again. */
const SILENCE_MS = 5000;

/** A clock is told in whole seconds, and the age of the state in milliseconds: what is counted back from both wavers. */
const WAVER_S = 2;

/** A snapshot is not taken anew more often than this because of clocks that come unevenly. */
const FRESH_MS = 3000;

/** Codes after which asking the same gateway again cannot help. */
const NO_SUCH_SYSTEM = ["unknown_system", "invalid_system_id"];

export interface Profile {
  readonly name: string;
  readonly timerSeconds: number;
}

export interface Room {
  readonly id: string;
  /** `out`: nobody looks. `missing`: the gateway has no such system, as long as it is this gateway. */
  readonly membership: "out" | "wanted" | "joining" | "in" | "missing";
  readonly joinError: string | null;
  readonly profile: Profile | null;
  readonly state: State | null;
  /** When `state` was received: the zero of its elapsed and remaining times. */
  readonly stateAt: Instant;
  /** The greatest seq heard on this connection; a new connection starts without one. */
  readonly seq: number;
  readonly now: string | null;
  /** How old the state was at the last clock; null where the gateway reached its store. */
  readonly staleMs: number | null;
  /** When the state was last known to be the newest, on the axis of the gateway's times. */
  readonly knownS: number | null;
  /** When the last clock came; before the first one, when this page began to look. */
  readonly clockAt: Instant;
  /** When the last snapshot came or was asked for in vain. */
  readonly joinedAt: Instant;
  /** Runs may have ended unheard: this page was away, or a change did not reach it. */
  readonly hasMissed: boolean;
  readonly records: Records;
  readonly asks: Asks;
}

export interface RoomStep {
  readonly room: Room;
  readonly effects: readonly Effect[];
}

export function begin(id: string, at: Instant): Room {
  return {
    id,
    membership: "wanted",
    joinError: null,
    profile: null,
    state: null,
    stateAt: at,
    seq: -1,
    now: null,
    staleMs: null,
    knownS: null,
    clockAt: at,
    joinedAt: at,
    hasMissed: true,
    records: NO_RECORDS,
    asks: NO_ASKS,
  };
}

/** Joins where that is wanted and not under way. */
export function join(room: Room, at: Instant): RoomStep {
  if (room.membership !== "wanted" && room.membership !== "in") return only(room);
  return { room: { ...room, membership: "joining", joinedAt: at }, effects: [{ kind: "join", id: room.id }] };
}

/** A store that was replaced counts from the start again. Whoever replaced it restarted the gateway, so a new
 *  connection forgets the old count, and only the count. */
export function onConnection(room: Room, at: Instant): RoomStep {
  // It may have been given the system that it did not have.
  const isLookedAt = room.membership !== "out";
  return join({ ...room, membership: isLookedAt ? "wanted" : "out", seq: -1, hasMissed: true }, at);
}

export function offConnection(room: Room): Room {
  return room.membership === "in" || room.membership === "joining" ? { ...room, membership: "wanted" } : room;
}

export function onSnapshot(room: Room, system: System, at: Instant): Room {
  const here: Room = {
    ...withClock(room, system.clock, at),
    membership: room.membership === "out" ? "out" : "in",
    joinError: null,
    joinedAt: at,
    hasMissed: false,
    profile: profileOf(system),
  };
  // A live state may overtake the snapshot. An equal seq is the same state with fresher times.
  if (system.state.seq < here.seq) return here;

  const isCountedAnew = here.state !== null && system.state.seq < here.state.seq;
  const base = isCountedAnew ? { ...here, records: { ...NO_RECORDS, shown: here.records.shown } } : here;
  return withState(base, system.state, at);
}

export function profileOf(system: System): Profile {
  return { name: system.name, timerSeconds: system.timer_seconds };
}

export function onJoinRefused(room: Room, error: Refusal): RoomStep {
  if (NO_SUCH_SYSTEM.includes(error.code)) return only({ ...room, membership: "missing" });
  return joinLater({ ...room, joinError: error.message });
}

export function joinLater(room: Room): RoomStep {
  if (room.membership !== "joining") return only(room);
  return { room: { ...room, membership: "wanted" }, effects: [{ kind: "join_later", id: room.id }] };
}

/** The answer to a command. Before the snapshot of this connection nobody knows how old it is. */
export function onAnswer(room: Room, state: State, at: Instant): Room {
  if (room.membership !== "out" && room.seq < 0) return room;
  const heard = onState(room, state, at);
  // It speaks of a state that is gone already.
  const isOld = state.seq < room.seq && heard.asks.pending === null;
  return isOld ? { ...heard, asks: { ...heard.asks, notice: null } } : heard;
}

export function onState(room: Room, state: State, at: Instant): Room {
  return state.seq > room.seq ? withState(room, state, at) : room;
}

export function onClock(room: Room, clock: Clock, at: Instant): RoomStep {
  // The room sends state n before any clock that carries n: a greater seq is a change we missed, and what is shown is
  // no more alive than it was.
  if (clock.seq > room.seq) return join({ ...room, now: clock.now, hasMissed: true }, at);

  const ticked = withClock(room, clock, at);

  // Clocks that come late or all at once were held up, and so perhaps was the state: its times are taken anew.
  const isRunning = room.state !== null && room.state.mode !== "wait";
  const isFresh = at - room.joinedAt < FRESH_MS;
  return isRunning && !isFresh && !follows(room, clock, at) ? join(ticked, at) : only(ticked);
}

/** A clock of the state that is shown. */
function withClock(room: Room, clock: Clock, at: Instant): Room {
  const staleMs = clock.stale_ms ?? null;
  return { ...room, now: clock.now, staleMs, knownS: knownSince(room, clock), clockAt: at };
}

/** While it gets older, what was said of it before stays: it would waver by a second. */
function knownSince({ knownS: before }: Room, { now, stale_ms = 0 }: Clock): number | null {
  const at = secondsOf(now);
  if (at === null) return null;
  const known = at - stale_ms / 1000;
  const isTheSame = stale_ms > 0 && before !== null && Math.abs(known - before) <= WAVER_S;
  return isTheSame ? before : known;
}

/** The next second, about a second later. */
function follows(room: Room, clock: Clock, at: Instant): boolean {
  const [before, after] = [room.now, clock.now].map((written) => Number(/:(\d\d)$/.exec(written ?? "")?.[1]));
  const gap = at - room.clockAt;
  return before !== undefined && (before + 1) % 60 === after && gap > 500 && gap < 1500;
}

/** A room that is silent although it should not be is joined again. */
export function onTick(room: Room, at: Instant): RoomStep {
  const isSilent = at - Math.max(room.clockAt, room.joinedAt) > SILENCE_MS;
  return room.membership === "in" && isSilent ? join(room, at) : only(room);
}

/** What was heard before the machine slept is older by that. */
export function onSlept(room: Room, ms: number): Room {
  return {
    ...room,
    stateAt: room.stateAt - ms,
    clockAt: room.clockAt - ms,
    joinedAt: room.joinedAt - ms,
  };
}

function withState(room: Room, state: State, at: Instant): Room {
  const asks = overtaken(room.asks, room.state?.seq ?? -1, state.seq);
  return { ...room, state, stateAt: at, seq: state.seq, asks };
}

function only(room: Room): RoomStep {
  return { room, effects: [] };
}

/** How far what is shown can be trusted. Decided by the age of the last clock, and by that of the state at that clock: a
 *  broken connection can take most of a minute to be noticed. `since`: the gateway's time of day when the state was last
 *  known, if it ever was. `isStoreAway`: the gateway is heard, and does not reach its store. */
export type Freshness =
  | { level: "live" }
  | { level: "late"; seconds: number; isStoreAway: boolean }
  | { level: "unknown"; since: string | null; isStoreAway: boolean };

export function freshness(room: Room, at: Instant): Freshness {
  const silence = at - room.clockAt;
  const age = silence + (room.staleMs ?? 0);
  const isStoreAway = room.staleMs !== null && silence < LIVE_MS;
  if (age < LIVE_MS && !isStoreAway) return { level: "live" };
  if (age <= KNOWN_MS) return { level: "late", seconds: Math.max(1, Math.floor(age / 1000)), isStoreAway };
  return { level: "unknown", since: room.knownS === null ? null : timeLabel(room.knownS), isStoreAway };
}

/** Something may be started where it is known what runs, and where the gateway does not refuse every start anyway. */
export function mayStart(room: Room, at: Instant): boolean {
  const isStopping = room.asks.pending?.command === "stop";
  return room.state !== null && !isStopping && room.staleMs === null && freshness(room, at).level !== "unknown";
}

/** What is left of the run at the given moment; null where the run has no end. */
export function remainingMs(room: Room, at: Instant): number | null {
  const remaining = room.state?.remaining_ms ?? null;
  return remaining === null ? null : Math.max(0, remaining - (at - room.stateAt));
}

/** How long the run has lasted at the given moment, at most as long as it was planned. */
export function elapsedMs(room: Room, at: Instant): number | null {
  const elapsed = room.state?.elapsed_ms ?? null;
  if (elapsed === null) return null;
  const planned = elapsed + (room.state?.remaining_ms ?? Infinity);
  return Math.min(planned, elapsed + Math.max(0, at - room.stateAt));
}
