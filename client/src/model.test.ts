// What the page makes of the news: the seq rule, joining again, the history, answers.
import { describe, expect, it } from "vitest";
import {
  ACTIONS_SHOWN,
  begin,
  elapsedMs,
  reduce,
  remainingMs,
  secondsWithoutNews,
  type Event,
  type Model,
  type Step,
} from "./model";
import type { Action, State, System } from "./wire";

function state(seq: number, more: Partial<State> = {}): State {
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

function timer(seq: number, remaining: number): State {
  const start = "2026-11-23T09:14:00.000";
  const end = "2026-11-23T09:14:10.000";
  return state(seq, { mode: "timer", start, end, elapsed_ms: 10_000 - remaining, remaining_ms: remaining });
}

function system(current: State): System {
  const clock = { system: "north", now: "2026-11-23T09:14:00", seq: current.seq };
  return { id: "north", name: "North field", timer_seconds: 10, lease_seconds: 30, state: current, clock };
}

function action(id: number, more: Partial<Action> = {}): Action {
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

function tick(seq: number, at = 0): Event {
  return { kind: "clock", clock: { system: "north", now: "2026-11-23T09:14:01", seq }, at };
}

function after(...events: Event[]): Step {
  const start: Step = { model: begin("north", 0), effects: [] };
  return events.reduce((step, event) => reduce(step.model, event), start);
}

function joinedAt(seq: number): Event[] {
  return [{ kind: "connected" }, { kind: "joined", system: system(state(seq)), at: 0 }];
}

function ids(model: Model): number[] {
  return model.actions.map((each) => each.id);
}

describe("joining", () => {
  it("joins on every connection", () => {
    const first = after({ kind: "connected" });
    expect(first.effects).toEqual(["join"]);
    const lost = reduce(first.model, { kind: "disconnected" });
    expect(lost.model.link).toBe("lost");
    expect(reduce(lost.model, { kind: "connected" }).effects).toEqual(["join"]);
  });

  it("takes the snapshot and asks for the history and the health", () => {
    const { model, effects } = after(...joinedAt(7));
    expect(effects).toEqual(["load_history", "ask_health"]);
    expect(model).toMatchObject({ link: "joined", seq: 7, now: "2026-11-23T09:14:00" });
    expect(model.profile).toEqual({ name: "North field", timerSeconds: 10 });
  });

  it("is the same when done twice", () => {
    const once = after(...joinedAt(7));
    const twice = reduce(once.model, { kind: "joined", system: system(state(7)), at: 0 });
    expect(twice.model).toEqual(once.model);
  });

  it("refreshes the times of a state it already knows", () => {
    const known = after({ kind: "connected" }, { kind: "joined", system: system(timer(7, 9000)), at: 0 });
    const { model } = reduce(known.model, { kind: "joined", system: system(timer(7, 2000)), at: 1000 });
    expect(remainingMs(model, 1000)).toBe(2000);
  });

  it("keeps a live state that overtook the snapshot", () => {
    const { model } = after(
      { kind: "connected" },
      { kind: "state", state: timer(8, 9000), at: 0 },
      { kind: "joined", system: system(state(7)), at: 1 },
    );
    expect(model.state?.mode).toBe("timer");
    expect(model.seq).toBe(8);
  });

  it("believes a store that counts from the start again, on a new connection", () => {
    const old = after(...joinedAt(70), { kind: "history", actions: [action(50)] }, { kind: "disconnected" });
    const again = reduce(old.model, { kind: "connected" });
    const { model } = reduce(again.model, { kind: "joined", system: system(state(1)), at: 0 });
    expect(model.seq).toBe(1);
    expect(model.actions).toEqual([]);
  });

  it("takes the times anew when the page is shown again", () => {
    expect(after(...joinedAt(7), { kind: "page_shown" }).effects).toEqual(["join"]);
    expect(after({ kind: "page_shown" }).effects).toEqual([]);
  });

  it("ends at an unknown system", () => {
    const error = { code: "unknown_system", message: "no such system" };
    const refused = after({ kind: "connected" }, { kind: "join_refused", error });
    expect(refused.model.link).toBe("missing");
    expect(refused.effects).toEqual([]);
  });

  it("tries again later when the gateway cannot answer", () => {
    const error = { code: "store_unavailable", message: "the store does not answer" };
    const refused = after({ kind: "connected" }, { kind: "join_refused", error });
    expect(refused.effects).toEqual(["join_later"]);
    expect(refused.model.joinError).toBe("the store does not answer");
    expect(reduce(refused.model, { kind: "join_due" }).effects).toEqual(["join"]);
    expect(after({ kind: "connected" }, { kind: "join_unanswered" }).effects).toEqual(["join_later"]);
  });
});

describe("state", () => {
  it("is taken when its seq is greater", () => {
    const { model } = after(...joinedAt(7), { kind: "state", state: timer(8, 9000), at: 5 });
    expect(model).toMatchObject({ seq: 8, stateAt: 5 });
  });

  it("is dropped when its seq is not greater", () => {
    const known = after(...joinedAt(7)).model;
    expect(reduce(known, { kind: "state", state: timer(7, 9000), at: 5 }).model).toEqual(known);
    expect(reduce(known, { kind: "state", state: timer(6, 9000), at: 5 }).model).toEqual(known);
  });

  it("of another system is dropped", () => {
    const known = after(...joinedAt(7)).model;
    expect(reduce(known, { kind: "state", state: state(9, { system: "south" }), at: 5 }).model).toEqual(known);
  });

  it("counts down from its receipt, not below zero", () => {
    const { model } = after(...joinedAt(7), { kind: "state", state: timer(8, 9000), at: 1000 });
    expect(remainingMs(model, 1000)).toBe(9000);
    expect(remainingMs(model, 4000)).toBe(6000);
    expect(remainingMs(model, 60_000)).toBe(0);
    expect(elapsedMs(model, 4000)).toBe(4000);
    expect(elapsedMs(model, 60_000)).toBe(10_000);
  });

  it("without an end has nothing remaining", () => {
    const manual = state(8, { mode: "manual", start: "2026-11-23T09:14:00.000", elapsed_ms: 0 });
    const { model } = after(...joinedAt(7), { kind: "state", state: manual, at: 0 });
    expect(remainingMs(model, 5000)).toBeNull();
    expect(elapsedMs(model, 90_000)).toBe(90_000);
  });
});

describe("clock", () => {
  it("is kept as it was written", () => {
    expect(after(...joinedAt(7), tick(7)).model.now).toBe("2026-11-23T09:14:01");
  });

  it("with the known seq asks for nothing, and so does a smaller one", () => {
    expect(after(...joinedAt(7), tick(7)).effects).toEqual([]);
    expect(after(...joinedAt(7), tick(6)).effects).toEqual([]);
  });

  it("with a greater seq joins again, once until it is answered", () => {
    const missed = after(...joinedAt(7), tick(8));
    expect(missed.effects).toEqual(["join"]);
    expect(missed.model.state?.seq).toBe(7);
    const again = reduce(missed.model, tick(8));
    expect(again.effects).toEqual([]);
    const answered = reduce(again.model, { kind: "joined", system: system(state(8)), at: 0 });
    expect(reduce(answered.model, tick(9)).effects).toEqual(["join"]);
  });

  it("of another system is dropped", () => {
    const known = after(...joinedAt(7)).model;
    const other: Event = { kind: "clock", clock: { system: "south", now: "x", seq: 99 }, at: 5 };
    expect(reduce(known, other)).toEqual({ model: known, effects: [] });
  });

  it("that stays away for more than three seconds is no news", () => {
    const { model } = after(...joinedAt(7), tick(7, 1000));
    expect(secondsWithoutNews(model, 4000)).toBeNull();
    expect(secondsWithoutNews(model, 4001)).toBe(3);
    expect(secondsWithoutNews(model, 66_000)).toBe(65);
  });
});

describe("the wall clock of the gateway", () => {
  it("is taken to be set until the gateway says otherwise", () => {
    expect(after(...joinedAt(7)).model.clockPlausible).toBe(true);
  });

  it("that is not set is told until it is set", () => {
    const told = after(...joinedAt(7), { kind: "health", clockPlausible: false }).model;
    expect(told.clockPlausible).toBe(false);
    expect(reduce(told, tick(7)).model.clockPlausible).toBe(false);
    expect(reduce(told, { kind: "disconnected" }).model.clockPlausible).toBe(false);
    expect(reduce(told, { kind: "health", clockPlausible: true }).model.clockPlausible).toBe(true);
  });

  it("is asked for while the room is joined", () => {
    expect(after(...joinedAt(7), { kind: "health_due" }).effects).toEqual(["ask_health"]);
    expect(after(...joinedAt(7), { kind: "disconnected" }, { kind: "health_due" }).effects).toEqual([]);
    expect(after({ kind: "health_due" }).effects).toEqual([]);
  });
});

describe("actions", () => {
  it("stand newest first, each once", () => {
    const { model } = after(
      ...joinedAt(7),
      { kind: "action", action: action(3) },
      { kind: "history", actions: [action(3), action(2), action(1)] },
      { kind: "action", action: action(4) },
      { kind: "action", action: action(4) },
    );
    expect(ids(model)).toEqual([4, 3, 2, 1]);
  });

  it("are at most ten", () => {
    const many = Array.from({ length: 15 }, (_, index) => action(index + 1));
    const { model } = after(...joinedAt(7), { kind: "history", actions: many });
    expect(ids(model)).toHaveLength(ACTIONS_SHOWN);
    expect(ids(model)[0]).toBe(15);
  });

  it("of another system are dropped", () => {
    expect(after(...joinedAt(7), { kind: "action", action: action(3, { system: "south" }) }).model.actions).toEqual([]);
  });

  it("that cannot be read say so until they can", () => {
    const failed = after(...joinedAt(7), { kind: "history_failed", message: "the store does not answer" });
    expect(failed.model.historyError).toBe("the store does not answer");
    expect(reduce(failed.model, { kind: "history", actions: [] }).model.historyError).toBeNull();
  });
});

describe("commands", () => {
  const asked: Event = { kind: "asked", ask: 1, command: "timer" };

  it("wait for their answer, then tell it", () => {
    const waiting = after(...joinedAt(7), asked).model;
    expect(waiting.pending).toEqual({ ask: 1, command: "timer" });
    const answer = { changed: true as const, state: timer(8, 10_000) };
    const { model } = reduce(waiting, { kind: "answered", ask: 1, command: "timer", answer, at: 0 });
    expect(model).toMatchObject({ seq: 8, pending: null, notice: { kind: "done", command: "timer" } });
  });

  it("keep the notice when the room tells the same change", () => {
    const answer = { changed: true as const, state: timer(8, 10_000) };
    const { model } = after(
      ...joinedAt(7),
      asked,
      { kind: "answered", ask: 1, command: "timer", answer, at: 0 },
      { kind: "state", state: timer(8, 10_000), at: 1 },
    );
    expect(model.notice).toMatchObject({ kind: "done" });
    expect(reduce(model, { kind: "state", state: state(9), at: 2 }).model.notice).toBeNull();
  });

  it("that change nothing tell the reason", () => {
    const answer = { changed: false as const, reason: "timer_running" as const, state: timer(7, 5000) };
    const { model } = after(...joinedAt(7), asked, { kind: "answered", ask: 1, command: "timer", answer, at: 0 });
    expect(model.notice).toEqual({ kind: "unchanged", reason: "timer_running", seq: 7 });
  });

  it("that are refused show the message of the gateway, over a reconnection too", () => {
    const error = { code: "invalid_seconds", message: "seconds must be 1 to 86400" };
    const { model } = after(...joinedAt(7), asked, { kind: "refused", ask: 1, error }, ...joinedAt(7));
    expect(model.notice).toEqual({ kind: "refused", message: "seconds must be 1 to 86400" });
    expect(model.pending).toBeNull();
  });

  it("without an answer say that it is not known", () => {
    const { model } = after(...joinedAt(7), asked, { kind: "unanswered", ask: 1, command: "timer" });
    expect(model.notice).toEqual({ kind: "no_answer", command: "timer" });
  });

  it("overtaken by a later one bring their state but say nothing", () => {
    const answer = { changed: true as const, state: timer(8, 10_000) };
    const { model } = after(
      ...joinedAt(7),
      asked,
      { kind: "asked", ask: 2, command: "stop" },
      { kind: "answered", ask: 1, command: "timer", answer, at: 0 },
    );
    expect(model).toMatchObject({ seq: 8, notice: null, pending: { ask: 2, command: "stop" } });
  });

  it("with bad seconds are told without asking the gateway", () => {
    expect(after(...joinedAt(7), { kind: "bad_seconds" }).model.notice).toEqual({ kind: "bad_seconds" });
  });
});
