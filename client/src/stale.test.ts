// A gateway that is heard and does not reach its store: how old what is shown is, what may be started, and when all is
// well again.
import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { heardLast, reduce, type Step } from "./model";
import { freshness, mayStart, remainingMs } from "./room";
import { after as afterAt, joinedAt, LIST, NORTH, roomOf, staleTick, state, system, tick, timer } from "./testing";

const after = (...events: Event[]): Step => afterAt(NORTH, ...events);

const join = { kind: "join", id: "north" };

const healthy: Event[] = [...joinedAt(state(7)), tick(7, 1000, "2026-11-23T09:14:01")];

/** One clock a second after the store was lost, which the gateway notices with the second of them. */
function away(seconds: number): Event[] {
  return Array.from({ length: seconds }, (_, i) => {
    const now = `2026-11-23T09:14:${String(i + 2).padStart(2, "0")}`;
    return staleTick(7, 2000 + i * 1000, 1000 + i * 1000, now);
  });
}

/** What a system is, told by a gateway that does not reach its store. */
function staleSystem(seq: number, staleMs: number, now: string): Event {
  const told = system(state(seq), now);
  return { kind: "joined", system: { ...told, clock: { ...told.clock, stale_ms: staleMs } }, at: 0 };
}

describe("while the gateway does not reach its store", () => {
  it("nothing is live, from its first word on", () => {
    const room = roomOf(after(...healthy, ...away(1)));
    expect(freshness(room, 2000)).toEqual({ level: "late", seconds: 1, isStoreAway: true });
    const blink = roomOf(after(...healthy, staleTick(7, 2000, 0)));
    expect(freshness(blink, 2000)).toEqual({ level: "late", seconds: 1, isStoreAway: true });
  });

  it("the state is as old as it was at the last clock, and as that clock is", () => {
    const room = roomOf(after(...healthy, ...away(5)));
    expect(freshness(room, 6000)).toEqual({ level: "late", seconds: 5, isStoreAway: true });
    expect(freshness(room, 6999)).toEqual({ level: "late", seconds: 5, isStoreAway: true });
    expect(freshness(room, 8000)).toEqual({ level: "late", seconds: 7, isStoreAway: true });
  });

  it("the state is unknown after ten seconds, however steadily the clock comes", () => {
    const late = roomOf(after(...healthy, ...away(10)));
    expect(freshness(late, 11_000)).toEqual({ level: "late", seconds: 10, isStoreAway: true });
    const unknown = { level: "unknown", since: "09:14:01", isStoreAway: true };
    expect(freshness(late, 11_001)).toEqual(unknown);
    expect(freshness(roomOf(after(...healthy, ...away(50))), 51_000)).toEqual(unknown);
  });

  it("the clock of the page goes on, and so does the run that it knows of", () => {
    const room = roomOf(after(...joinedAt(timer(7, 9000)), tick(7, 1000), ...away(5)));
    expect(room.now).toBe("2026-11-23T09:14:06");
    expect(remainingMs(room, 6000)).toBe(3000);
  });

  it("the moment since when nothing is known does not waver with the fractions of a second", () => {
    const uneven = [900, 2200, 2800, 4100].map((staleMs, i) =>
      staleTick(7, 2000 + i * 1000, staleMs, `2026-11-23T09:14:0${i + 2}`),
    );
    expect(freshness(roomOf(after(...healthy, ...uneven)), 20_000)).toMatchObject({ since: "09:14:01" });
  });

  it("a page that never saw it well counts back, over midnight too", () => {
    const first = after({ kind: "connected", at: 0 }, staleSystem(7, 90_500, "2026-11-23T00:01:00"));
    const unknown = { level: "unknown", since: "23:59:29", isStoreAway: true };
    expect(freshness(roomOf(first), 0)).toEqual(unknown);
    const then = reduce(first.model, staleTick(7, 1000, 91_400, "2026-11-23T00:01:01"));
    expect(freshness(roomOf(then), 1000), "what was said stays").toEqual(unknown);
  });

  it("the moment is another one where the state is another, or the wall clock was set", () => {
    const older = after(...healthy, { kind: "disconnected" }, { kind: "connected", at: 2000 });
    const told = reduce(older.model, staleSystem(5, 62_000, "2026-11-23T09:14:02"));
    expect(freshness(roomOf(told), 0)).toMatchObject({ since: "09:13:00" });
    const set = after(...healthy, ...away(1), staleTick(7, 3000, 2000, "2026-11-23T08:14:03"));
    expect(freshness(roomOf(set), 20_000)).toMatchObject({ since: "08:14:01" });
  });

  it("a moment that cannot be read is left out", () => {
    const room = roomOf(after(...healthy, staleTick(7, 2000, 20_000, "soon")));
    expect(freshness(room, 2000)).toEqual({ level: "unknown", since: null, isStoreAway: true });
  });

  it("nothing can be started, and a stop goes out until it is confirmed", () => {
    const step = after(...healthy, ...away(1));
    expect(mayStart(roomOf(step), 2000)).toBe(false);
    const stop: Event = { kind: "asked", id: "north", key: "k", command: "stop", seconds: null, at: 2000 };
    const asked = reduce(step.model, stop);
    expect(asked.effects).toMatchObject([{ kind: "send", id: "north" }]);
    const error = { code: "store_unavailable", message: "the store does not answer" };
    const refused = reduce(asked.model, { kind: "refused", id: "north", key: "k", error, at: 2100 });
    expect(refused.effects).toEqual([{ kind: "send_later", id: "north", key: "k" }]);
    const again = reduce(refused.model, { kind: "send_due", id: "north", key: "k", at: 3100 });
    expect(again.effects).toMatchObject([{ kind: "send", ask: { command: "stop", attempt: 2 } }]);
  });

  it("the connection is kept, and the room is not joined anew: the gateway is there", () => {
    const step = after(...joinedAt(timer(7, 90_000)), tick(7, 1000), ...away(40));
    expect(step.effects).toEqual([]);
    expect(reduce(step.model, { kind: "ticked", at: 41_900 }).effects).toEqual([]);
  });

  it("a gateway that falls silent, too, is said to be silent, and the state does not become younger", () => {
    const room = roomOf(after(...healthy, ...away(2)));
    expect(freshness(room, 5999)).toEqual({ level: "late", seconds: 4, isStoreAway: true });
    expect(freshness(room, 6000)).toEqual({ level: "late", seconds: 5, isStoreAway: false });
    expect(mayStart(roomOf(after(...healthy, ...away(2))), 6000)).toBe(false);
    expect(freshness(room, 11_001)).toEqual({ level: "unknown", since: "09:14:01", isStoreAway: false });
  });

  it("the state is older by as long as the machine slept", () => {
    const slept = after(...healthy, ...away(2), { kind: "slept", ms: 2000 });
    expect(freshness(roomOf(slept), 3000)).toEqual({ level: "late", seconds: 4, isStoreAway: true });
  });

  it("a change that the gateway tells of is taken, and is as old as its clock says", () => {
    const changed = after(...healthy, ...away(4), { kind: "state", state: timer(8, 9000), at: 5100 });
    expect(roomOf(changed).state?.mode).toBe("timer");
    expect(freshness(roomOf(changed), 5100)).toMatchObject({ level: "late", isStoreAway: true });
  });
});

describe("when the gateway reaches its store again", () => {
  it("the next clock makes the page live", () => {
    const back = reduce(after(...healthy, ...away(30)).model, tick(7, 32_000));
    expect(freshness(roomOf(back), 32_000)).toEqual({ level: "live" });
    expect(mayStart(roomOf(back), 32_000)).toBe(true);
    expect(back.effects).toEqual([]);
  });

  it("a clock of a state that is not shown does not: the room is joined anew, and the snapshot does", () => {
    const missed = reduce(after(...healthy, ...away(30)).model, tick(9, 32_000));
    expect(missed.effects).toEqual([join]);
    expect(freshness(roomOf(missed), 32_000).level).toBe("unknown");
    expect(mayStart(roomOf(missed), 32_000)).toBe(false);
    const told = reduce(missed.model, { kind: "joined", system: system(state(9)), at: 32_100 });
    expect(freshness(roomOf(told), 32_100)).toEqual({ level: "live" });
  });

  it("a connection to another gateway that reaches it does the same", () => {
    const gone = after(...healthy, ...away(30), { kind: "disconnected" });
    const other = [{ kind: "connected", at: 32_000 } as const, { kind: "joined", system: system(state(8)), at: 32_000 } as const];
    const back = other.reduce<Step>((step, event) => reduce(step.model, event), gone);
    expect(freshness(roomOf(back), 32_000)).toEqual({ level: "live" });
  });
});

describe("the overview", () => {
  it("is as old as its rooms are, each by its own clock", () => {
    const south = timer(5, 9000, { system: "south" });
    const step = afterAt(
      LIST,
      { kind: "connected", at: 0 },
      { kind: "listed", systems: [system(state(7)), system(south)] },
      { kind: "wanted", ids: ["north", "south"], at: 0 },
      { kind: "joined", system: system(state(7)), at: 0 },
      { kind: "joined", system: system(south), at: 0 },
      staleTick(7, 1000, 11_000),
    );
    expect(freshness(roomOf(step), 1000)).toMatchObject({ level: "unknown", isStoreAway: true });
    expect(freshness(roomOf(step, "south"), 1000)).toEqual({ level: "live" });
    expect(heardLast(step.model)?.id).toBe("north");
  });
});
