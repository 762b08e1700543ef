// What this page knows of one system, and how every piece of news changes it: one pure function.
// Never touches the network, the document or a clock: moments arrive as `at`, effects leave as names.
import type { Action, Answer, Clock, Command, Reason, Refusal, State, System } from "./wire";

/** Milliseconds of performance.now(). */
export type Instant = number;

export const ACTIONS_SHOWN = 10;

/** Codes after which asking again cannot help. */
const NO_SUCH_SYSTEM = ["unknown_system", "invalid_system_id"];

/** What the person is told about the latest command. `seq`: the state it speaks of, if any. */
export type Notice =
  | { kind: "done"; command: Command; seq: number }
  | { kind: "unchanged"; reason: Reason; seq: number }
  | { kind: "refused"; message: string }
  | { kind: "no_answer"; command: Command }
  | { kind: "bad_seconds" };

export interface Profile {
  name: string;
  timerSeconds: number;
}

export interface Model {
  readonly id: string;
  /** `missing` is final: the gateway has no such system. */
  readonly link: "connecting" | "joined" | "lost" | "missing";
  readonly joining: boolean;
  readonly profile: Profile | null;
  readonly state: State | null;
  /** When `state` was received: the zero of its elapsed and remaining times. */
  readonly stateAt: Instant;
  /** The greatest seq heard on this connection; a new connection starts without one. */
  readonly seq: number;
  readonly now: string | null;
  /** When the last clock came; before the first one, when the page began. */
  readonly clockAt: Instant;
  readonly actions: readonly Action[];
  readonly historyError: string | null;
  readonly joinError: string | null;
  /** False once the gateway has said that its wall clock is not set; while it is not known, nothing is wrong. */
  readonly clockPlausible: boolean;
  /** The number of the latest command while it is unanswered. */
  readonly pending: { ask: number; command: Command } | null;
  readonly notice: Notice | null;
}

export type Event =
  | { kind: "connected" }
  | { kind: "disconnected" }
  | { kind: "page_shown" }
  | { kind: "join_due" }
  | { kind: "joined"; system: System; at: Instant }
  | { kind: "join_refused"; error: Refusal }
  | { kind: "join_unanswered" }
  | { kind: "state"; state: State; at: Instant }
  | { kind: "clock"; clock: Clock; at: Instant }
  | { kind: "action"; action: Action }
  | { kind: "history"; actions: readonly Action[] }
  | { kind: "history_failed"; message: string | null }
  | { kind: "health_due" }
  | { kind: "health"; clockPlausible: boolean }
  | { kind: "asked"; ask: number; command: Command }
  | { kind: "answered"; ask: number; command: Command; answer: Answer; at: Instant }
  | { kind: "refused"; ask: number; error: Refusal }
  | { kind: "unanswered"; ask: number; command: Command }
  | { kind: "bad_seconds" };

export type Effect = "join" | "join_later" | "load_history" | "ask_health";

export interface Step {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

export function begin(id: string, at: Instant): Model {
  return {
    id,
    link: "connecting",
    joining: false,
    profile: null,
    state: null,
    stateAt: at,
    seq: -1,
    now: null,
    clockAt: at,
    actions: [],
    historyError: null,
    joinError: null,
    clockPlausible: true,
    pending: null,
    notice: null,
  };
}

export function reduce(model: Model, event: Event): Step {
  switch (event.kind) {
    case "connected":
      // A store that was replaced counts from the start again. Whoever replaced it restarted the
      // gateway, so a new connection forgets the old count, and only the count.
      return { model: { ...model, seq: -1, joining: true }, effects: ["join"] };
    case "disconnected":
      return only({ ...model, link: model.link === "missing" ? "missing" : "lost", joining: false });
    case "page_shown":
      // performance.now() may stand still while the machine sleeps: take the times anew.
      return model.link === "joined" ? rejoin(model) : only(model);
    case "join_due":
      return model.link === "missing" ? only(model) : rejoin(model);
    case "joined":
      return joined(model, event.system, event.at);
    case "join_refused":
      return joinRefused(model, event.error);
    case "join_unanswered":
      return { model: { ...model, joining: false }, effects: ["join_later"] };
    case "state":
      return only(isNews(model, event.state) ? withState(model, event.state, event.at) : model);
    case "clock":
      return clock(model, event.clock, event.at);
    case "action":
      return only(event.action.system === model.id ? withActions(model, [event.action]) : model);
    case "history":
      return only({ ...withActions(model, event.actions), historyError: null });
    case "history_failed":
      return only({ ...model, historyError: event.message ?? "" });
    case "health_due":
      return { model, effects: model.link === "joined" ? ["ask_health"] : [] };
    case "health":
      return only({ ...model, clockPlausible: event.clockPlausible });
    case "asked":
    case "answered":
    case "refused":
    case "unanswered":
    case "bad_seconds":
      return only(command(model, event));
  }
}

type CommandEvent = Extract<Event, { kind: "asked" | "answered" | "refused" | "unanswered" | "bad_seconds" }>;

/** Answers to any but the latest command still bring their state, but say nothing. */
function command(model: Model, event: CommandEvent): Model {
  if (event.kind === "asked") {
    return { ...model, pending: { ask: event.ask, command: event.command }, notice: null };
  }
  if (event.kind === "bad_seconds") return { ...model, notice: { kind: "bad_seconds" } };

  const isLatest = model.pending?.ask === event.ask;
  const settled = isLatest ? { ...model, pending: null } : model;
  if (event.kind === "answered") {
    const { answer } = event;
    const heard = isNews(settled, answer.state) ? withState(settled, answer.state, event.at) : settled;
    return isLatest ? { ...heard, notice: noticeOf(event.command, answer) } : heard;
  }
  if (!isLatest) return settled;
  return event.kind === "refused"
    ? { ...settled, notice: { kind: "refused", message: event.error.message } }
    : { ...settled, notice: { kind: "no_answer", command: event.command } };
}

function noticeOf(command: Command, answer: Answer): Notice {
  const seq = answer.state.seq;
  return answer.changed ? { kind: "done", command, seq } : { kind: "unchanged", reason: answer.reason, seq };
}

function joined(model: Model, system: System, at: Instant): Step {
  if (system.id !== model.id) return only(model);
  const here: Model = {
    ...model,
    link: "joined",
    joining: false,
    joinError: null,
    profile: { name: system.name, timerSeconds: system.timer_seconds },
    now: system.clock.now,
    clockAt: at,
  };
  const effects: readonly Effect[] = ["load_history", "ask_health"];
  // A live state may overtake the snapshot. An equal seq is the same state with fresher times.
  if (system.state.seq < here.seq) return { model: here, effects };

  const countedAnew = here.state !== null && system.state.seq < here.state.seq;
  const base = countedAnew ? { ...here, actions: [] } : here;
  return { model: withState(base, system.state, at), effects };
}

function joinRefused(model: Model, error: Refusal): Step {
  if (NO_SUCH_SYSTEM.includes(error.code)) return only({ ...model, link: "missing", joining: false });
  return { model: { ...model, joining: false, joinError: error.message }, effects: ["join_later"] };
}

function clock(model: Model, clock: Clock, at: Instant): Step {
  if (clock.system !== model.id) return only(model);
  const ticked = { ...model, now: clock.now, clockAt: at };
  // The room sends state n before any clock that carries n: a greater seq is a change we missed.
  return clock.seq > ticked.seq ? rejoin(ticked) : only(ticked);
}

function rejoin(model: Model): Step {
  return model.joining ? only(model) : { model: { ...model, joining: true }, effects: ["join"] };
}

function isNews(model: Model, state: State): boolean {
  return state.system === model.id && state.seq > model.seq;
}

function withState(model: Model, state: State, at: Instant): Model {
  const { notice } = model;
  const known = model.state?.seq ?? -1;
  const overtaken = notice !== null && state.seq > ("seq" in notice ? notice.seq : known);
  return { ...model, state, stateAt: at, seq: state.seq, notice: overtaken ? null : notice };
}

function withActions(model: Model, news: readonly Action[]): Model {
  const byId = new Map([...model.actions, ...news].map((action) => [action.id, action]));
  const actions = [...byId.values()].sort((a, b) => b.id - a.id).slice(0, ACTIONS_SHOWN);
  return { ...model, actions };
}

function only(model: Model): Step {
  return { model, effects: [] };
}

/** What is left of the run at the given moment; null where the run has no end. */
export function remainingMs(model: Model, at: Instant): number | null {
  const remaining = model.state?.remaining_ms ?? null;
  return remaining === null ? null : Math.max(0, remaining - (at - model.stateAt));
}

/** How long the run has lasted at the given moment, at most as long as it was planned. */
export function elapsedMs(model: Model, at: Instant): number | null {
  const elapsed = model.state?.elapsed_ms ?? null;
  if (elapsed === null) return null;
  const planned = elapsed + (model.state?.remaining_ms ?? Infinity);
  return Math.min(planned, elapsed + Math.max(0, at - model.stateAt));
}

/** Whole seconds without a clock, once that is too long for a healthy room; else null. */
export function secondsWithoutNews(model: Model, at: Instant): number | null {
  const silence = at - model.clockAt;
  return silence > 3000 ? Math.floor(silence / 1000) : null;
}
