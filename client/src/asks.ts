// The commands of this page to one system: sent, sent again, answered. A stop is sent until it is answered;
// what opens a valve is given up after a few seconds, for nobody wants water that comes when they have gone.
// Never sends anything: it says when to.
import type { Ask, Effect, Event, Instant } from "./events";
import type { Answer, Command, Reason, Refusal } from "./wire";

/** For so long after the click a start may still be sent. */
const START_PATIENCE_MS = 8000;

/** Codes of the gateway after which the same request may well be taken. */
const PASSING = ["store_unavailable", "overloaded"];

/** What the person is told about the latest command. `seq`: the state it speaks of, if any. */
export type Notice =
  | { kind: "done"; command: Command; seq: number }
  | { kind: "unchanged"; command: Command; reason: Reason; seq: number }
  | { kind: "refused"; message: string }
  | { kind: "no_answer"; command: Command }
  | { kind: "bad_length" };

export interface Asks {
  /** The latest command while it is unanswered. */
  readonly pending: Ask | null;
  /** Keys of starts that a stop has overtaken on this page, and that may still reach the gateway after it. */
  readonly loose: readonly string[];
  readonly notice: Notice | null;
}

export interface AsksStep {
  readonly asks: Asks;
  readonly effects: readonly Effect[];
}

export type AskEvent = Extract<
  Event,
  { kind: "asked" | "answered" | "refused" | "unanswered" | "send_due" | "bad_length" }
>;

export const NO_ASKS: Asks = { pending: null, loose: [], notice: null };

/** Answers to any but the latest command say nothing here; the state that they carry counts all the same. */
export function reduceAsks(asks: Asks, event: AskEvent): AsksStep {
  if (event.kind === "asked") return asked(asks, event);
  if (event.kind === "bad_length") return only({ ...asks, notice: { kind: "bad_length" } });
  if (asks.loose.includes(event.key)) return loosened(asks, event);

  const { pending } = asks;
  if (pending?.key !== event.key) return only(asks);
  switch (event.kind) {
    case "answered":
      // The word of the gateway is not the last one while a start may still come after it.
      if (asks.loose.length > 0) return only({ ...asks, pending: { ...pending, isUnderWay: false } });
      return only({ ...asks, pending: null, notice: noticeOf(pending.command, event.answer) });
    case "refused":
      return refused(asks, pending, event.id, event.error);
    case "unanswered":
      return mayGoOn(pending, event.at) ? later(asks, event.id, pending) : only(givenUp(asks, pending));
    case "send_due":
      return mayGoOn(pending, event.at) ? again(asks, event.id, pending) : only(givenUp(asks, pending));
  }
}

function asked(asks: Asks, event: Extract<AskEvent, { kind: "asked" }>): AsksStep {
  const { id, key, command, seconds, at } = event;
  const { pending } = asks;
  // A stop that is still on its way would end what is started here.
  if (command !== "stop" && isStopping(asks)) return only(asks);
  // Pressed twice: one wish, and one key. A stop is worth sending at once; a start is on its way.
  if (pending?.command === command && pending.seconds === seconds) {
    return command === "stop" ? again(asks, id, pending) : only(asks);
  }
  const isOvertaken = pending !== null && pending.command !== "stop" && pending.isUnderWay;
  const loose = isOvertaken ? [...asks.loose, pending.key] : asks.loose;
  const ask: Ask = { key, command, seconds, since: at, attempt: 1, isUnderWay: true };
  return { asks: { pending: ask, loose, notice: null }, effects: [{ kind: "send", id, ask }] };
}

/** A start that was overtaken is settled. What stops has to come after it, so it goes out once more, as a new request. */
function loosened(asks: Asks, event: Extract<AskEvent, { key: string }>): AsksStep {
  const settled = { ...asks, loose: asks.loose.filter((key) => key !== event.key) };
  const { pending } = settled;
  if (pending?.command !== "stop" || settled.loose.length > 0) return only(settled);
  return again(settled, event.id, { ...pending, key: `${pending.key}+` });
}

/** Nothing is under way and nothing left to say. */
export function isSilent(asks: Asks): boolean {
  return asks.pending === null && asks.notice === null && asks.loose.length === 0;
}

export function isStopping(asks: Asks): boolean {
  return asks.pending?.command === "stop";
}

function refused(asks: Asks, pending: Ask, id: string, error: Refusal): AsksStep {
  if (pending.command === "stop" && PASSING.includes(error.code)) return later(asks, id, pending);
  return only({ ...asks, pending: null, notice: { kind: "refused", message: error.message } });
}

function mayGoOn(pending: Ask, at: Instant): boolean {
  return pending.command === "stop" || at - pending.since < START_PATIENCE_MS;
}

function later(asks: Asks, id: string, pending: Ask): AsksStep {
  return {
    asks: { ...asks, pending: { ...pending, isUnderWay: false } },
    effects: [{ kind: "send_later", id, key: pending.key }],
  };
}

function again(asks: Asks, id: string, pending: Ask): AsksStep {
  const ask = { ...pending, attempt: pending.attempt + 1, isUnderWay: true };
  return { asks: { ...asks, pending: ask }, effects: [{ kind: "send", id, ask }] };
}

function givenUp(asks: Asks, pending: Ask): Asks {
  return { ...asks, pending: null, notice: { kind: "no_answer", command: pending.command } };
}

function noticeOf(command: Command, answer: Answer): Notice {
  const { seq } = answer.state;
  return answer.changed
    ? { kind: "done", command, seq }
    : { kind: "unchanged", command, reason: answer.reason, seq };
}

/** What was said of an earlier state is no longer worth saying. */
export function overtaken(asks: Asks, known: number, seq: number): Asks {
  const { notice } = asks;
  if (notice === null || seq <= ("seq" in notice ? notice.seq : known)) return asks;
  return { ...asks, notice: null };
}

function only(asks: Asks): AsksStep {
  return { asks, effects: [] };
}
