// What the tests of the model begin with: a system, its states, and events after one another.
import { begin, reduce, type Step } from "./model";
import type { Event } from "./events";
import type { Place } from "./place";
import type { Room } from "./room";
import type { Action, State, System } from "./wire";

export const NORTH: Place = { page: "system", id: "north" };
export const LIST: Place = { page: "list" };

export function state(seq: number, more: Partial<State> = {}): State {
  return {
    system: "north",
    seq,
    mode: "wait",
    start: null,
    end: null,
    elapsed_ms: null,
    remaining_ms: null,
    by: null,
    ...more,
  };
}

export function timer(seq: number, remaining: number, more: Partial<State> = {}): State {
  const start = "2026-11-23T09:14:00.000";
  const end = "2026-11-23T09:14:10.000";
  return state(seq, { mode: "timer", start, end, elapsed_ms: 10_000 - remaining, remaining_ms: remaining, ...more });
}

export function system(current: State, now = "2026-11-23T09:14:00"): System {
  const id = current.system;
  const clock = { system: id, now, seq: current.seq };
  return { id, name: `The ${id}`, timer_seconds: 10, lease_seconds: 30, state: current, clock };
}

export function action(id: number, more: Partial<Action> = {}): Action {
  return {
    system: "north",
    id,
    mode: "timer",
    start: "2026-11-23T09:14:00.000",
    end: "2026-11-23T09:14:10.000",
    duration_ms: 10_000,
    planned_ms: 10_000,
    outcome: "completed",
    by: "console",
    ended_by: null,
    ...more,
  };
}

export function tick(seq: number, at = 0, now = "2026-11-23T09:14:01"): Event {
  return { kind: "clock", clock: { system: "north", now, seq }, at };
}

/** A clock of a gateway that does not reach its store. */
export function staleTick(seq: number, at: number, staleMs: number, now = "2026-11-23T09:14:01"): Event {
  return { kind: "clock", clock: { system: "north", now, seq, stale_ms: staleMs }, at };
}

/** The model after these events, and the effects of the last one. */
export function after(place: Place, ...events: Event[]): Step {
  const start: Step = { model: begin(place, 0), effects: [] };
  return events.reduce((step, event) => reduce(step.model, event), start);
}

export function joinedAt(current: State, at = 0): Event[] {
  return [
    { kind: "connected", at },
    { kind: "joined", system: system(current), at },
  ];
}

export function roomOf({ model }: Step, id = "north"): Room {
  const known = model.rooms.get(id);
  if (known === undefined) throw new Error(`there is no room ${id}`);
  return known;
}
