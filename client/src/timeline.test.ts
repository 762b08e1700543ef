// Where runs are drawn: from how long they lasted, within the last day, whatever the wall clock was.
import { describe, expect, it } from "vitest";
import { secondsOf } from "./civil";
import { blocksOf, NARROWEST, NARROWEST_HATCHED, NOW, ticksOf, type Block, type Running } from "./timeline";
import type { Action, State } from "./wire";

const NOON = "2026-11-23T12:00:00";
const HOUR_MS = 3_600_000;
const HOUR = 1 / 25;

function action(more: Partial<Action> = {}): Action {
  return {
    system: "north",
    id: 1,
    mode: "timer",
    start: "2026-11-23T06:00:00.000",
    end: "2026-11-23T07:00:00.000",
    duration_ms: HOUR_MS,
    planned_ms: HOUR_MS,
    outcome: "completed",
    by: "soil-3",
    ended_by: null,
    ...more,
  };
}

function interrupted(more: Partial<Action> = {}): Action {
  return action({ end: null, duration_ms: null, outcome: "interrupted", ...more });
}

function running(elapsedMs: number, remainingMs: number | null, more: Partial<State> = {}): Running {
  const state: State = {
    system: "north",
    seq: 9,
    mode: "timer",
    start: null,
    end: null,
    elapsed_ms: elapsedMs,
    remaining_ms: remainingMs,
    by: null,
    ...more,
  };
  return { state, elapsedMs, remainingMs };
}

/** The only block, in hours from the left end. */
function only(blocks: readonly Block[]): { from: number; to: number } {
  expect(blocks).toHaveLength(1);
  const [block] = blocks;
  return { from: (block?.from ?? NaN) / HOUR, to: (block?.to ?? NaN) / HOUR };
}

describe("a run that has ended", () => {
  it("lies where it was, as long as it lasted", () => {
    const blocks = blocksOf([action()], null, NOON);
    expect(blocks[0]).toMatchObject({ kind: "timer", part: "past", interrupted: false, action: { id: 1 } });
    expect(only(blocks).from).toBeCloseTo(18);
    expect(only(blocks).to).toBeCloseTo(19);
  });

  it("is not stretched by a wall clock that was set", () => {
    const set = action({ end: "2026-11-23T11:59:00.000" });
    expect(only(blocksOf([set], null, NOON)).to).toBeCloseTo(19);
    const setBack = action({ end: "2026-11-23T05:00:00.000" });
    expect(only(blocksOf([setBack], null, NOON)).to).toBeCloseTo(19);
  });

  it("is cut where the day begins", () => {
    const long = action({ start: "2026-11-22T11:00:00.000", duration_ms: 3 * HOUR_MS });
    const { from, to } = only(blocksOf([long], null, NOON));
    expect(from).toBe(0);
    expect(to).toBeCloseTo(2);
  });

  it("is gone after a day", () => {
    expect(blocksOf([action({ start: "2026-11-22T10:59:00.000" })], null, NOON)).toEqual([]);
  });

  it("is wide enough to be seen, and never lies ahead of now", () => {
    const short = action({ start: "2026-11-23T11:59:50.000", duration_ms: 10_000 });
    const [block] = blocksOf([short], null, NOON);
    expect(block?.to).toBe(NOW);
    expect(block?.from).toBeCloseTo(NOW - NARROWEST);
  });

  it("counts as of now while the clock is a moment behind it", () => {
    const fresh = action({ start: "2026-11-23T12:00:00.700", duration_ms: 1000 });
    expect(blocksOf([fresh], null, NOON)).toHaveLength(1);
  });

  it("comes in the order of the line, whatever the order of the rows", () => {
    const early = action({ id: 1, start: "2026-11-23T01:00:00.000", mode: "manual" });
    const blocks = blocksOf([action({ id: 2 }), early], null, NOON);
    expect(blocks.map((block) => block.action?.id)).toEqual([1, 2]);
    expect(blocks.map((block) => block.kind)).toEqual(["manual", "timer"]);
  });
});

describe("a row that a wrong wall clock wrote", () => {
  it("is left out, and the others stay", () => {
    const wrong = [
      action({ id: 2, start: "1970-01-01T00:00:10.000" }),
      action({ id: 3, start: "2036-02-07T06:28:16.000" }),
      action({ id: 4, start: "2026-11-23T11:30:00.000" }),
      action({ id: 5, start: "nonsense" }),
      interrupted({ id: 6, start: "2036-02-07T06:28:16.000" }),
    ];
    expect(blocksOf([...wrong, action()], null, NOON).map((block) => block.action?.id)).toEqual([1]);
  });

  it("does not shorten an interrupted run", () => {
    const later = action({ id: 2, start: "2036-02-07T06:28:16.000" });
    expect(only(blocksOf([later, interrupted()], null, NOON)).to).toBeCloseTo(19);
  });

  it("leaves nothing to draw when now itself is none", () => {
    expect(blocksOf([action()], running(1000, null), "nonsense")).toEqual([]);
    expect(ticksOf("nonsense")).toEqual([]);
  });
});

describe("an interrupted run", () => {
  it("is as long as it was planned", () => {
    const blocks = blocksOf([interrupted()], null, NOON);
    expect(blocks[0]?.interrupted).toBe(true);
    expect(only(blocks).to).toBeCloseTo(19);
  });

  it("ends now at the latest", () => {
    const blocks = blocksOf([interrupted({ planned_ms: 24 * HOUR_MS })], null, NOON);
    expect(blocks[0]?.to).toBe(NOW);
  });

  it("ends where the next run begins, also the current one", () => {
    const long = interrupted({ planned_ms: 24 * HOUR_MS });
    const next = action({ id: 2, start: "2026-11-23T08:00:00.000" });
    expect(blocksOf([next, long], null, NOON)[0]?.to).toBeCloseTo(20 * HOUR);
    expect(blocksOf([long], running(HOUR_MS, null), NOON)[0]?.to).toBeCloseTo(23 * HOUR);
  });

  it("is a mark at its start where nothing was planned", () => {
    const blocks = blocksOf([interrupted({ mode: "manual", planned_ms: null })], null, NOON);
    expect(blocks[0]?.from).toBeCloseTo(18 * HOUR);
    expect(blocks[0]?.to).toBeCloseTo(18 * HOUR + NARROWEST_HATCHED);
  });
});

describe("the current run", () => {
  it("reaches to now, and ahead by what is planned", () => {
    const [present, ahead] = blocksOf([], running(2 * HOUR_MS, HOUR_MS / 2, { mode: "manual" }), NOON);
    expect(present).toMatchObject({ kind: "manual", part: "present", to: NOW, action: null });
    expect(present?.from).toBeCloseTo(22 * HOUR);
    expect(ahead).toMatchObject({ kind: "manual", part: "ahead", from: NOW });
    expect(ahead?.to).toBeCloseTo(24.5 * HOUR);
  });

  it("is placed by what has elapsed, not by the start that is shown", () => {
    const start = "1970-01-01T00:00:10.000";
    expect(blocksOf([], running(HOUR_MS, null, { start }), NOON)[0]?.from).toBeCloseTo(23 * HOUR);
  });

  it("has nothing ahead without a limit, or when it is over", () => {
    expect(blocksOf([], running(HOUR_MS, null), NOON)).toHaveLength(1);
    expect(blocksOf([], running(HOUR_MS, 0), NOON)).toHaveLength(1);
  });

  it("is cut at both ends of the line", () => {
    const [present, ahead] = blocksOf([], running(30 * HOUR_MS, 30 * HOUR_MS), NOON);
    expect(present?.from).toBe(0);
    expect(ahead?.to).toBe(1);
  });

  it("is none while the system waits", () => {
    expect(blocksOf([], running(0, null, { mode: "wait" }), NOON)).toEqual([]);
  });
});

describe("ticks", () => {
  it("are every third hour, every second of them with its label", () => {
    const ticks = ticksOf("2026-11-23T12:30:00");
    expect(ticks.map((tick) => tick.label)).toEqual([null, "18:00", null, "00:00", null, "06:00", null, "12:00"]);
    expect(ticks[0]?.at).toBeCloseTo(2.5 * HOUR);
    expect(ticks[7]?.at).toBeCloseTo(23.5 * HOUR);
  });
});

describe("whatever the rows and the clock are", () => {
  it("lies on the line and can be seen", () => {
    for (let seed = 1; seed <= 2000; seed += 1) {
      const random = generator(seed);
      const now = momentOf(random);
      const actions = Array.from({ length: Math.floor(random() * 20) }, (_, id) => anyAction(random, id, now));
      const current = random() < 0.5 ? null : running(upTo(random, 48), random() < 0.3 ? null : upTo(random, 24));
      const blocks = blocksOf(actions, current, now);
      for (const block of blocks) {
        const limit = block.part === "ahead" ? 1 : NOW;
        const isRight = block.from >= 0 && block.to <= limit && block.to - block.from >= NARROWEST - 1e-9;
        expect(isRight, `seed ${seed}: ${JSON.stringify(block)}`).toBe(true);
      }
      expect(blocks.filter((block) => block.part === "present")).toHaveLength(current === null ? 0 : 1);
      for (const tick of ticksOf(now)) expect(tick.at >= 0 && tick.at <= 1, `seed ${seed}`).toBe(true);
    }
  });

  it("moves nothing when all clocks are another day's", () => {
    const days = ["2026-01-01", "2026-03-01", "2028-02-29", "1999-12-31"];
    const [first, ...others] = days.map((day) => {
      const blocks = blocksOf([action({ start: `${day}T06:00:00.000` })], null, `${day}T12:00:00`);
      return blocks.map(({ from, to }) => [from.toFixed(9), to.toFixed(9)]);
    });
    for (const other of others) expect(other).toEqual(first);
  });
});

/** mulberry32: small, and the same for the same seed everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function upTo(random: () => number, hours: number): number {
  return Math.floor(random() * hours * HOUR_MS);
}

function momentOf(random: () => number): string {
  const figure = (from: number, to: number): string =>
    String(from + Math.floor(random() * (to - from + 1))).padStart(2, "0");
  const date = `${figure(1969, 2040)}-${figure(1, 12)}-${figure(1, 28)}`;
  return `${date}T${figure(0, 23)}:${figure(0, 59)}:${figure(0, 59)}`;
}

/** Mostly of the same day, sometimes of any. */
function anyAction(random: () => number, id: number, now: string): Action {
  const hour = String(Math.floor(random() * 24)).padStart(2, "0");
  const start = random() < 0.7 ? `${now.slice(0, 11)}${hour}:30:00.250` : momentOf(random);
  const planned_ms = random() < 0.3 ? null : upTo(random, 24);
  const mode = random() < 0.5 ? "timer" : "manual";
  const more = { id, mode, start, planned_ms } as const;
  expect(secondsOf(start)).not.toBeNull();
  return random() < 0.3 ? interrupted(more) : action({ ...more, duration_ms: upTo(random, 24) });
}
