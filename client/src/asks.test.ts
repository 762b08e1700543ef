// Commands: what is sent again and for how long, and what the person is told.
import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { reduce, type Step } from "./model";
import { mayStart } from "./room";
import { after as afterAt, joinedAt, NORTH, roomOf, state, system, timer } from "./testing";
import type { Command } from "./wire";

const after = (...events: Event[]): Step => afterAt(NORTH, ...joinedAt(state(7)), ...events);

const id = "north";

function asked(command: Command, key = "k", at = 0): Event {
  return { kind: "asked", id, key, command, seconds: null, at };
}

function unanswered(at: number, key = "k"): Event {
  return { kind: "unanswered", id, key, at };
}

function changed(seq: number, key = "k"): Event {
  return { kind: "answered", id, key, answer: { changed: true, state: timer(seq, 10_000) }, at: 0 };
}

describe("a command", () => {
  it("is sent with its key, then waits for its answer, then tells it", () => {
    const waiting = after(asked("timer"));
    expect(waiting.effects).toMatchObject([{ kind: "send", id, ask: { key: "k", command: "timer", attempt: 1 } }]);
    expect(roomOf(waiting).asks.pending).toMatchObject({ command: "timer" });
    const told = reduce(waiting.model, changed(8));
    expect(roomOf(told)).toMatchObject({
      seq: 8,
      asks: { pending: null, notice: { kind: "done", command: "timer" } },
    });
  });

  it("keeps its notice when the room tells the same change, not when it tells the next", () => {
    const told = after(asked("timer"), changed(8), { kind: "state", state: timer(8, 10_000), at: 1 });
    expect(roomOf(told).asks.notice).toMatchObject({ kind: "done" });
    const next = reduce(told.model, { kind: "state", state: state(9), at: 2 });
    expect(roomOf(next).asks.notice).toBeNull();
  });

  it("that changes nothing tells the reason", () => {
    const answer = { changed: false as const, reason: "manual_has_priority" as const, state: state(7) };
    const step = after(asked("timer"), { kind: "answered", id, key: "k", answer, at: 0 });
    expect(roomOf(step).asks.notice).toMatchObject({ kind: "unchanged", reason: "manual_has_priority" });
  });

  it("that is refused shows the message of the gateway, over a reconnection too", () => {
    const error = { code: "invalid_seconds", message: "seconds must be 1 to 86400" };
    const step = after(asked("timer"), { kind: "refused", id, key: "k", error, at: 0 }, ...joinedAt(state(7)));
    expect(roomOf(step).asks).toMatchObject({ pending: null, notice: { kind: "refused", message: error.message } });
  });

  it("that a later one has overtaken brings its state but says nothing", () => {
    const step = after(asked("timer", "first"), asked("manual", "second"), changed(8, "first"));
    expect(roomOf(step)).toMatchObject({ seq: 8, asks: { notice: null, pending: { key: "second" } } });
  });

  it("whose answer speaks of a state that is gone says nothing", () => {
    const answer = { changed: false as const, reason: "not_running" as const, state: state(7) };
    const step = after(asked("stop"), { kind: "state", state: timer(8, 5000), at: 1 }, {
      kind: "answered",
      id,
      key: "k",
      answer,
      at: 2,
    });
    expect(roomOf(step)).toMatchObject({ seq: 8, asks: { pending: null, notice: null } });
  });

  it("that is pressed twice is one wish with one key", () => {
    const twice = after(asked("timer", "first"), asked("timer", "second"));
    expect(twice.effects).toEqual([]);
    expect(roomOf(twice).asks.pending?.key).toBe("first");
  });

  it("is answered before the snapshot of a new connection: the state of that answer may be an old one", () => {
    const again: Event[] = [{ kind: "disconnected" }, { kind: "connected", at: 1 }];
    const step = after(asked("timer"), ...again, changed(3));
    expect(roomOf(step).state?.seq).toBe(7);
    expect(roomOf(step).asks.notice).toMatchObject({ kind: "done" });
  });

  it("that was sent again has the times of its answer taken anew", () => {
    const again = after(asked("timer"), unanswered(1000), { kind: "send_due", id, key: "k", at: 2000 }, changed(8));
    expect(again.effects).toEqual([{ kind: "join", id }]);
  });

  it("with a length that cannot be is told without asking the gateway", () => {
    const step = after({ kind: "bad_length", id });
    expect(roomOf(step).asks.notice).toEqual({ kind: "bad_length" });
    expect(step.effects).toEqual([]);
  });
});

describe("a start without an answer", () => {
  it("is sent again with the same key for eight seconds", () => {
    const silent = after(asked("timer"), unanswered(4000));
    expect(silent.effects).toEqual([{ kind: "send_later", id, key: "k" }]);
    const again = reduce(silent.model, { kind: "send_due", id, key: "k", at: 5000 });
    expect(again.effects).toMatchObject([{ kind: "send", ask: { key: "k", attempt: 2 } }]);
  });

  it("is then given up, and it is said that nobody knows", () => {
    const late = after(asked("timer"), unanswered(8000));
    expect(late.effects).toEqual([]);
    expect(roomOf(late).asks).toMatchObject({ pending: null, notice: { kind: "no_answer", command: "timer" } });
    const due = after(asked("timer"), unanswered(7900), { kind: "send_due", id, key: "k", at: 8900 });
    expect(due.effects).toEqual([]);
  });

  it("is not sent again once a stop was asked for", () => {
    const step = after(asked("timer", "first"), unanswered(1000, "first"), asked("stop", "second"));
    const due = reduce(step.model, { kind: "send_due", id, key: "first", at: 2000 });
    expect(due.effects).toEqual([]);
  });
});

describe("a stop", () => {
  it("is sent until it is answered, however long that takes", () => {
    const silent = after(asked("stop"), unanswered(3_600_000));
    expect(silent.effects).toEqual([{ kind: "send_later", id, key: "k" }]);
    const again = reduce(silent.model, { kind: "send_due", id, key: "k", at: 3_601_000 });
    expect(again.effects).toMatchObject([{ kind: "send", ask: { command: "stop", attempt: 2 } }]);
    expect(roomOf(again).asks.pending?.attempt).toBe(2);
  });

  it("is sent again when the gateway cannot carry it out yet, not when it never will", () => {
    const busy = { code: "store_unavailable", message: "later" };
    const never = { code: "origin_not_allowed", message: "no" };
    expect(after(asked("stop"), { kind: "refused", id, key: "k", error: busy, at: 0 }).effects).toEqual([
      { kind: "send_later", id, key: "k" },
    ]);
    expect(after(asked("stop"), { kind: "refused", id, key: "k", error: never, at: 0 }).effects).toEqual([]);
  });

  it("that is pressed again goes out again at once, as the same request", () => {
    const twice = after(asked("stop", "first"), asked("stop", "second"));
    expect(twice.effects).toMatchObject([{ kind: "send", ask: { key: "first", attempt: 2 } }]);
  });

  describe("while a start is on its way", () => {
    const stop = [asked("manual", "start"), asked("stop", "stop")];
    const confirmed: Event = {
      kind: "answered",
      id,
      key: "stop",
      answer: { changed: false, reason: "not_running", state: state(7) },
      at: 1,
    };

    it("is not confirmed before that start is settled, and goes out once more after it", () => {
      const early = after(...stop, confirmed);
      expect(roomOf(early).asks).toMatchObject({ pending: { command: "stop" }, notice: null });
      const settled = reduce(early.model, changed(8, "start"));
      expect(settled.effects).toMatchObject([{ kind: "send", ask: { key: "stop+", command: "stop" } }]);
      const last: Event = {
        kind: "answered",
        id,
        key: "stop+",
        answer: { changed: true, state: state(9) },
        at: 3,
      };
      expect(roomOf(reduce(settled.model, last)).asks).toMatchObject({ pending: null, notice: { kind: "done" } });
    });

    it("goes out once more when that start is never answered", () => {
      expect(after(...stop, unanswered(4000, "start")).effects).toMatchObject([{ kind: "send", ask: { key: "stop+" } }]);
    });

    it("takes no answer to what it sent before that", () => {
      const step = after(...stop, changed(8, "start"), confirmed);
      expect(roomOf(step).asks.pending?.key).toBe("stop+");
    });
  });

  it("that is not confirmed lets nothing start", () => {
    const step = after(asked("stop", "first"), asked("manual", "second"));
    expect(step.effects).toEqual([]);
    expect(roomOf(step).asks.pending?.key).toBe("first");
    expect(mayStart(roomOf(step), 0)).toBe(false);
    const answer = { changed: false as const, reason: "not_running" as const, state: state(7) };
    const settled = reduce(step.model, { kind: "answered", id, key: "first", answer, at: 0 });
    expect(mayStart(roomOf(settled), 0)).toBe(true);
  });

  it("is kept over a reconnection", () => {
    const step = after(asked("stop"), { kind: "disconnected" }, { kind: "connected", at: 1 }, {
      kind: "joined",
      system: system(timer(7, 5000)),
      at: 2,
    });
    expect(roomOf(step).asks.pending?.command).toBe("stop");
  });
});
