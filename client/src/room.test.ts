// One system: joining, the seq rule, the age of what is known, the countdown.
import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { reduce, type Step } from "./model";
import { elapsedMs, freshness, mayStart, remainingMs } from "./room";
import { action, after as afterAt, joinedAt, NORTH, roomOf, state, system, tick, timer } from "./testing";

const after = (...events: Event[]): Step => afterAt(NORTH, ...events);

const join = { kind: "join", id: "north" };

describe("joining", () => {
  it("happens on every connection", () => {
    const first = after({ kind: "connected", at: 0 });
    expect(first.effects).toEqual([join, { kind: "ask_health" }]);
    const lost = reduce(first.model, { kind: "disconnected" });
    expect(lost.model.link).toBe("down");
    expect(reduce(lost.model, { kind: "connected", at: 1 }).effects).toContainEqual(join);
  });

  it("takes the snapshot and asks for the history", () => {
    const step = after(...joinedAt(state(7)));
    expect(step.effects).toEqual([{ kind: "load_history", id: "north", before: null }]);
    const live: Event[] = [{ kind: "connected", at: 0 }, { kind: "state", state: state(7), at: 0 }, tick(7)];
    const snapshot: Event = { kind: "joined", system: system(state(7)), at: 0 };
    expect(after(...live, snapshot).effects, "the events of the snapshot come before its ack").toEqual(step.effects);
    expect(roomOf(step)).toMatchObject({ membership: "in", seq: 7, now: "2026-11-23T09:14:00" });
    expect(roomOf(step).profile).toEqual({ name: "The north", timerSeconds: 10 });
  });

  it("is the same when done twice", () => {
    const once = after(...joinedAt(state(7)));
    expect(reduce(once.model, { kind: "joined", system: system(state(7)), at: 0 }).model).toEqual(once.model);
  });

  it("refreshes the times of a state that is known", () => {
    const step = after(...joinedAt(timer(7, 9000)), { kind: "joined", system: system(timer(7, 2000)), at: 1000 });
    expect(remainingMs(roomOf(step), 1000)).toBe(2000);
  });

  it("keeps a live state that overtook the snapshot", () => {
    const step = after(
      { kind: "connected", at: 0 },
      { kind: "state", state: timer(8, 9000), at: 0 },
      { kind: "joined", system: system(state(7)), at: 1 },
    );
    expect(roomOf(step)).toMatchObject({ seq: 8, state: { mode: "timer" } });
  });

  it("believes a store that counts from the start again, on a new connection", () => {
    const old: Event[] = [
      ...joinedAt(state(70)),
      { kind: "history", id: "north", before: null, actions: [action(50)] },
      { kind: "disconnected" },
    ];
    const step = after(...old, ...joinedAt(state(1)));
    expect(roomOf(step).seq).toBe(1);
    expect(roomOf(step).records.actions).toEqual([]);
  });

  it("ends at an unknown system", () => {
    const error = { code: "unknown_system", message: "no such system" };
    const step = after({ kind: "connected", at: 0 }, { kind: "join_refused", id: "north", error, at: 1 });
    expect(roomOf(step).membership).toBe("missing");
    expect(step.effects).toEqual([]);
    expect(reduce(step.model, { kind: "ticked", at: 99_000 }).effects).toEqual([]);
  });

  it("asks a gateway that comes back once more: it may have been given the system", () => {
    const error = { code: "unknown_system", message: "no such system" };
    const refused = after({ kind: "connected", at: 0 }, { kind: "join_refused", id: "north", error, at: 1 });
    const again = reduce(refused.model, { kind: "connected", at: 2 });
    expect(again.effects).toContainEqual(join);
  });

  it("loads the history again only where something may have been missed", () => {
    const load = { kind: "load_history", id: "north", before: null };
    const known = after(...joinedAt(state(7)));
    expect(known.effects).toContainEqual(load);
    const same = reduce(known.model, { kind: "joined", system: system(state(7)), at: 1 });
    expect(same.effects).not.toContainEqual(load);
    const missed = reduce(same.model, tick(9, 2));
    expect(reduce(missed.model, { kind: "joined", system: system(state(9)), at: 3 }).effects).toContainEqual(load);
    expect(after(...joinedAt(state(7)), ...joinedAt(state(7))).effects).toContainEqual(load);
  });

  it("is tried again later when the gateway cannot answer", () => {
    const error = { code: "store_unavailable", message: "the store does not answer" };
    const refused = after({ kind: "connected", at: 0 }, { kind: "join_refused", id: "north", error, at: 1 });
    expect(refused.effects).toEqual([{ kind: "join_later", id: "north" }]);
    expect(roomOf(refused).joinError).toBe("the store does not answer");
    expect(reduce(refused.model, { kind: "join_due", id: "north", at: 5 }).effects).toEqual([join]);
    const silent = after({ kind: "connected", at: 0 }, { kind: "join_unanswered", id: "north" });
    expect(silent.effects).toEqual([{ kind: "join_later", id: "north" }]);
  });

  it("is not asked for twice at once", () => {
    const asked = after(...joinedAt(state(7)), { kind: "woken", at: 1 });
    expect(asked.effects).toEqual([join]);
    expect(reduce(asked.model, { kind: "woken", at: 2 }).effects).toEqual([]);
  });
});

describe("state", () => {
  it("is taken when its seq is greater", () => {
    const step = after(...joinedAt(state(7)), { kind: "state", state: timer(8, 9000), at: 5 });
    expect(roomOf(step)).toMatchObject({ seq: 8, stateAt: 5 });
  });

  it("is dropped when its seq is not greater", () => {
    const known = after(...joinedAt(state(7)));
    for (const seq of [7, 6]) {
      const step = reduce(known.model, { kind: "state", state: timer(seq, 9000), at: 5 });
      expect(roomOf(step)).toEqual(roomOf(known));
    }
  });

  it("of another system is dropped", () => {
    const known = after(...joinedAt(state(7)));
    const other: Event = { kind: "state", state: state(9, { system: "south" }), at: 5 };
    expect(reduce(known.model, other).model).toEqual(known.model);
  });

  it("counts down from its receipt, not below zero", () => {
    const room = roomOf(after(...joinedAt(state(7)), { kind: "state", state: timer(8, 9000), at: 1000 }));
    expect(remainingMs(room, 1000)).toBe(9000);
    expect(remainingMs(room, 4000)).toBe(6000);
    expect(remainingMs(room, 60_000)).toBe(0);
    expect(elapsedMs(room, 4000)).toBe(4000);
    expect(elapsedMs(room, 60_000)).toBe(10_000);
  });

  it("without an end has nothing remaining", () => {
    const manual = state(8, { mode: "manual", start: "2026-11-23T09:14:00.000", elapsed_ms: 0 });
    const room = roomOf(after(...joinedAt(state(7)), { kind: "state", state: manual, at: 0 }));
    expect(remainingMs(room, 5000)).toBeNull();
    expect(elapsedMs(room, 90_000)).toBe(90_000);
  });
});

describe("clock", () => {
  it("is kept as it was written", () => {
    expect(roomOf(after(...joinedAt(state(7)), tick(7))).now).toBe("2026-11-23T09:14:01");
  });

  it("with the known seq asks for nothing, and so does a smaller one", () => {
    expect(after(...joinedAt(state(7)), tick(7)).effects).toEqual([]);
    expect(after(...joinedAt(state(7)), tick(6)).effects).toEqual([]);
  });

  it("with a greater seq joins again, once until it is answered", () => {
    const missed = after(...joinedAt(state(7)), tick(8));
    expect(missed.effects).toEqual([join]);
    expect(roomOf(missed).state?.seq).toBe(7);
    const again = reduce(missed.model, tick(8));
    expect(again.effects).toEqual([]);
    const answered = reduce(again.model, { kind: "joined", system: system(state(8)), at: 0 });
    expect(reduce(answered.model, tick(9)).effects).toEqual([join]);
  });

  it("of another system is dropped", () => {
    const known = after(...joinedAt(state(7)));
    const other: Event = { kind: "clock", clock: { system: "south", now: "x", seq: 99 }, at: 5 };
    expect(reduce(known.model, other)).toEqual({ model: known.model, effects: [] });
  });

  it("that was held up during a run has the times taken anew", () => {
    const steady = [1, 2, 3, 4].map((second) => tick(7, second * 1000, `2026-11-23T09:14:0${second}`));
    const then = (next: Event): Step => after(...joinedAt(timer(7, 9000)), ...steady, next);
    expect(then(tick(7, 5000, "2026-11-23T09:14:05")).effects).toEqual([]);
    expect(then(tick(7, 4010, "2026-11-23T09:14:05")).effects).toEqual([join]);
    expect(then(tick(7, 7000, "2026-11-23T09:14:05")).effects).toEqual([join]);
    expect(then(tick(7, 5000, "2026-11-23T09:15:59")).effects).toEqual([join]);
  });

  it("that turns a minute is as steady as any other", () => {
    const step = after(
      ...joinedAt(timer(7, 9000)),
      tick(7, 2900, "2026-11-23T09:14:59"),
      tick(7, 3900, "2026-11-23T09:15:00"),
    );
    expect(step.effects).toEqual([]);
  });

  it("that was held up while nothing runs asks for nothing", () => {
    const late = after(...joinedAt(state(7)), tick(7, 4000), tick(7, 9000));
    expect(late.effects).toEqual([]);
  });
});

describe("what is known", () => {
  const heard = after(...joinedAt(state(7)), tick(7, 1000));

  it("is live for three seconds after a clock, then late, and after ten seconds unknown", () => {
    const room = roomOf(heard);
    expect(freshness(room, 3999)).toEqual({ level: "live" });
    expect(freshness(room, 4000)).toEqual({ level: "late", seconds: 3, isStoreAway: false });
    expect(freshness(room, 11_000)).toEqual({ level: "late", seconds: 10, isStoreAway: false });
    expect(freshness(room, 11_001)).toEqual({ level: "unknown", since: "09:14:01", isStoreAway: false });
  });

  it("is no more alive by a clock that tells of a change that was missed", () => {
    const missed = after(...joinedAt(state(7)), tick(8, 2000), tick(8, 3000), tick(8, 4000));
    expect(freshness(roomOf(missed), 4000)).toEqual({ level: "late", seconds: 4, isStoreAway: false });
  });

  it("does not depend on the connection", () => {
    const lost = reduce(heard.model, { kind: "disconnected" });
    expect(freshness(roomOf(lost), 2000)).toEqual({ level: "live" });
    const again = reduce(lost.model, { kind: "connected", at: 20_000 });
    expect(freshness(roomOf(again), 20_000).level).toBe("unknown");
  });

  it("is nothing where no clock ever came", () => {
    expect(freshness(roomOf(after()), 10_001)).toEqual({ level: "unknown", since: null, isStoreAway: false });
  });

  it("allows a start while it is live or late, not before the first state and not when it is unknown", () => {
    expect(mayStart(roomOf(after({ kind: "connected", at: 0 })), 0)).toBe(false);
    expect(mayStart(roomOf(heard), 2000)).toBe(true);
    expect(mayStart(roomOf(heard), 9000)).toBe(true);
    expect(mayStart(roomOf(heard), 11_001)).toBe(false);
  });

  it("is older by as long as the machine slept, and so is the countdown", () => {
    const running = after(...joinedAt(timer(7, 9000)), { kind: "slept", ms: 5000 });
    expect(remainingMs(roomOf(running), 0)).toBe(4000);
    expect(freshness(roomOf(running), 0)).toEqual({ level: "late", seconds: 5, isStoreAway: false });
  });
});

describe("silence", () => {
  it("of five seconds has the room joined again", () => {
    const heard = after(...joinedAt(state(7)), tick(7, 1000));
    expect(reduce(heard.model, { kind: "ticked", at: 6000 }).effects).toEqual([]);
    expect(reduce(heard.model, { kind: "ticked", at: 6001 }).effects).toEqual([join]);
  });

  it("of ten seconds gives the connection up, once in ten seconds", () => {
    const heard = after(...joinedAt(state(7)), tick(7, 1000));
    const dead = reduce(heard.model, { kind: "ticked", at: 11_001 });
    expect(dead.effects).toEqual([{ kind: "reconnect" }]);
    expect(reduce(dead.model, { kind: "ticked", at: 11_300 }).effects).not.toContainEqual({ kind: "reconnect" });
  });

  it("while there is no connection asks for nothing", () => {
    const lost = after(...joinedAt(state(7)), { kind: "disconnected" });
    expect(reduce(lost.model, { kind: "ticked", at: 60_000 }).effects).toEqual([]);
  });

  it("ends at once when the page wakes up without a connection", () => {
    const lost = after(...joinedAt(state(7)), { kind: "disconnected" });
    expect(reduce(lost.model, { kind: "woken", at: 60_000 }).effects).toEqual([{ kind: "reconnect" }]);
  });
});

describe("the wall clock of the gateway", () => {
  it("is taken to be set until the gateway says otherwise, and not set until it says so", () => {
    const told = after(...joinedAt(state(7)), { kind: "health", clockPlausible: false });
    expect(after(...joinedAt(state(7))).model.clockPlausible).toBe(true);
    expect(told.model.clockPlausible).toBe(false);
    expect(reduce(told.model, { kind: "disconnected" }).model.clockPlausible).toBe(false);
    expect(reduce(told.model, { kind: "health", clockPlausible: true }).model.clockPlausible).toBe(true);
  });

  it("is asked for while there is a connection", () => {
    const ask = [{ kind: "ask_health" }];
    expect(after(...joinedAt(state(7)), { kind: "health_due" }).effects).toEqual(ask);
    expect(after(...joinedAt(state(7)), { kind: "disconnected" }, { kind: "health_due" }).effects).toEqual([]);
  });
});
