// The history: each run once, newest first, as far back as is drawn or asked for.
import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import type { Step } from "./model";
import { hasOlder, PAGE } from "./records";
import { action, after as afterAt, joinedAt, NORTH, roomOf, state, tick } from "./testing";

const after = (...events: Event[]): Step => afterAt(NORTH, ...joinedAt(state(7)), ...events);

function page(newest: number, count: number, before: number | null = null, day = 23): Event {
  const start = `2026-11-${day}T09:00:00.000`;
  const actions = Array.from({ length: count }, (_, index) => action(newest - index, { start }));
  return { kind: "history", id: "north", before, actions };
}

function ids(step: Step): number[] {
  return roomOf(step).records.actions.map((each) => each.id);
}

function load(before: number | null): object {
  return { kind: "load_history", id: "north", before };
}

describe("the history", () => {
  it("stands newest first, each run once", () => {
    const step = after(
      { kind: "action", action: action(3) },
      page(3, 3),
      { kind: "action", action: action(4) },
      { kind: "action", action: action(4) },
    );
    expect(ids(step)).toEqual([4, 3, 2, 1]);
  });

  it("of another system is dropped", () => {
    expect(ids(after({ kind: "action", action: action(3, { system: "south" }) }))).toEqual([]);
  });

  it("that cannot be read says so until it can", () => {
    const failed: Event = { kind: "history_failed", id: "north", message: "the store does not answer" };
    expect(roomOf(after(failed)).records.error).toBe("the store does not answer");
    expect(roomOf(after(failed, page(0, 0))).records.error).toBeNull();
  });

  it("is loaded until it covers the last 24 hours", () => {
    expect(after(page(300, PAGE)).effects).toEqual([load(201)]);
    expect(after(page(300, PAGE, null, 22), tick(7)).effects).toEqual([]);
    expect(after(page(300, PAGE), page(200, 40, 201)).effects).toEqual([]);
  });

  it("shows ten more rows when asked, and loads them where it has none left", () => {
    const few = after(page(300, PAGE, null, 20));
    expect(roomOf(few).records.shown).toBe(10);
    const older: Event = { kind: "older_wanted", id: "north" };
    const most = after(page(300, PAGE, null, 20), ...Array<Event>(9).fill(older));
    expect(most.effects).toEqual([]);
    expect(after(page(300, PAGE, null, 20), ...Array<Event>(10).fill(older)).effects).toEqual([load(201)]);
  });

  it("says whether there is anything older", () => {
    expect(hasOlder(roomOf(after(page(300, PAGE, null, 20))).records)).toBe(true);
    expect(hasOlder(roomOf(after(page(300, 11))).records)).toBe(true);
    expect(hasOlder(roomOf(after(page(300, 10))).records)).toBe(false);
  });

  it("forgets what lies beyond a gap", () => {
    const far = after(page(300, PAGE, null, 20), page(900, PAGE, null, 20));
    expect(ids(far)).toHaveLength(PAGE);
    expect(hasOlder(roomOf(far).records)).toBe(true);
    const near = after(page(300, PAGE, null, 20), page(350, PAGE, null, 20));
    expect(ids(near)).toHaveLength(150);
  });
});
