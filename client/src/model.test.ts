// The overview: which rooms are joined, what the list says, and stop all.
import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { heardLast, reduce, unconfirmedStops, type Step } from "./model";
import { after as afterAt, LIST, roomOf, state, system, timer } from "./testing";
import type { State } from "./wire";

const after = (...events: Event[]): Step => afterAt(LIST, ...events);

const north = state(3);
const south = timer(5, 9000, { system: "south" });

function listed(...states: State[]): Event {
  return { kind: "listed", systems: states.map((each) => system(each)) };
}

function wanted(...ids: string[]): Event {
  return { kind: "wanted", ids, at: 0 };
}

function snapshot(current: State, at = 0): Event {
  return { kind: "joined", system: system(current), at };
}

const connected: Event = { kind: "connected", at: 0 };

describe("the overview", () => {
  it("loads the list on every connection, and joins the rooms that are looked at", () => {
    expect(after(connected).effects).toContainEqual({ kind: "load_list" });
    const first = after(connected, listed(north, south), wanted("north", "south"));
    expect(first.effects).toEqual([
      { kind: "join", id: "north" },
      { kind: "join", id: "south" },
    ]);
    const again = reduce(reduce(first.model, { kind: "disconnected" }).model, connected);
    expect(again.effects.filter((each) => each.kind === "join")).toHaveLength(2);
  });

  it("leaves rooms that are no longer looked at, and forgets them", () => {
    const step = after(connected, listed(north, south), wanted("north", "south"), snapshot(north), wanted("south"));
    expect(step.effects).toEqual([{ kind: "leave", id: "north" }]);
    expect([...step.model.rooms.keys()]).toEqual(["south"]);
  });

  it("joins nothing without a connection, and everything once there is one", () => {
    const early = after(listed(north), wanted("north"));
    expect(early.effects).toEqual([]);
    expect(reduce(early.model, connected).effects).toContainEqual({ kind: "join", id: "north" });
  });

  it("loads no history", () => {
    expect(after(connected, listed(north), wanted("north"), snapshot(north)).effects).toEqual([]);
  });

  it("asks for the list again when it cannot be read", () => {
    const failed = after(connected, { kind: "list_failed" });
    expect(failed.effects).toEqual([{ kind: "load_list_later" }]);
    expect(failed.model.list.failed).toBe(true);
    expect(reduce(failed.model, listed(north)).model.list.failed).toBe(false);
  });

  it("is as old as the room that was heard last", () => {
    const clock: Event = { kind: "clock", clock: { system: "south", now: "x", seq: 5 }, at: 800 };
    const step = after(connected, listed(north, south), wanted("north", "south"), snapshot(north), snapshot(south), clock);
    expect(heardLast(step.model)?.id).toBe("south");
  });
});

describe("stop all", () => {
  const stopAll: Event = { kind: "stop_all", key: "k", at: 0 };

  function stopped(step: Step): string[] {
    return step.effects.flatMap((each) => (each.kind === "send" && each.ask.command === "stop" ? [each.id] : []));
  }

  it("stops what is looked at, whatever is believed of it, and what else is said to run", () => {
    const step = after(connected, listed(north, south), wanted("north"), snapshot(north), stopAll);
    expect(stopped(step)).toEqual(["north", "south"]);
    expect(step.model.stopAll).toMatchObject({ ids: ["north", "south"], isLooking: false });
  });

  it("has a key for each system, and does not stop again what is being stopped", () => {
    const step = after(connected, listed(north, south), wanted("north", "south"), stopAll);
    expect(roomOf(step, "north").asks.pending?.key).not.toBe(roomOf(step, "south").asks.pending?.key);
    const more = reduce(step.model, { kind: "stop_all", key: "l", at: 1 });
    expect(stopped(more)).toEqual([]);
    expect(more.model.stopAll?.ids).toEqual(["north", "south"]);
  });

  it("keeps what it has to say of systems out of sight, and takes their answer for the list", () => {
    const step = after(connected, listed(north, south), stopAll);
    expect(stopped(step)).toEqual(["south"]);
    const answer = { changed: true as const, state: state(6, { system: "south" }) };
    const key = roomOf(step, "south").asks.pending?.key ?? "";
    const settled = reduce(step.model, { kind: "answered", id: "south", key, answer, at: 1 });
    expect([...settled.model.list.running]).toEqual([]);
    expect(roomOf(settled, "south").asks.notice).toMatchObject({ kind: "done" });
    expect(roomOf(reduce(settled.model, wanted("north")), "south").asks.notice).toMatchObject({ kind: "done" });
  });

  it("asks a gateway with many systems first which others run, until it says so", () => {
    const many = Array.from({ length: 101 }, (_, index) => state(0, { system: `s${index}` }));
    const step = after(connected, listed(...many), wanted("s0"), stopAll);
    expect(stopped(step)).toEqual(["s0"]);
    expect(step.effects).toContainEqual({ kind: "load_running" });
    const failed = reduce(step.model, { kind: "running_failed" });
    expect(failed.effects).toEqual([{ kind: "load_running_later" }]);
    expect(reduce(failed.model, { kind: "running_due" }).effects).toEqual([{ kind: "load_running" }]);
    const running: Event = { kind: "running_listed", systems: [system(timer(1, 5000, { system: "s77" }))], at: 1 };
    const found = reduce(failed.model, running);
    expect(stopped(found)).toEqual(["s77"]);
    expect(found.model.stopAll).toMatchObject({ ids: ["s0", "s77"], isLooking: false });
  });

  it("is over when one of its systems runs again", () => {
    const step = after(connected, listed(north), wanted("north"), snapshot(north), stopAll);
    const key = roomOf(step).asks.pending?.key ?? "";
    const answer = { changed: false as const, reason: "not_running" as const, state: north };
    const settled = reduce(step.model, { kind: "answered", id: "north", key, answer, at: 1 });
    expect(settled.model.stopAll).not.toBeNull();
    expect(reduce(settled.model, { kind: "state", state: timer(4, 5000), at: 2 }).model.stopAll).toBeNull();
  });

  it("goes on with what an earlier page could not see confirmed", () => {
    const taken: Event = { kind: "asked", id: "south", key: "k", command: "stop", seconds: null, at: 0 };
    const step = after(taken);
    expect(stopped(step)).toEqual(["south"]);
    expect(unconfirmedStops(step.model)).toEqual([{ id: "south", key: "k" }]);
  });
});
