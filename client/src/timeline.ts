// Where the runs of the last 24 hours lie on a line: shares of its length, from 0 (a day ago) to 1 (an hour ahead).
// Never draws, and never takes the length of a run from its two times: a wall clock that was set would stretch it.
import { hourLabel, secondsOf } from "./civil";
import type { Action, State } from "./wire";

const HOUR_S = 3600;
const BACK_S = 24 * HOUR_S;

/** Always the same room for what is planned: with every start, the whole day would jump to the side. */
const AHEAD_S = HOUR_S;

const LINE_S = BACK_S + AHEAD_S;

/** Where now lies. */
export const NOW = BACK_S / LINE_S;

/** A few seconds of water are too narrow to see; this is some two pixels of a telephone. */
export const NARROWEST = 0.008;

/** Hatching needs more room to be seen as such. */
export const NARROWEST_HATCHED = 0.024;

/** The clock is told in whole seconds and can be some late: a run of this moment is not one of the future. */
const LATE_S = 5;

const TICK_EVERY_S = 3 * HOUR_S;
const LABEL_EVERY_S = 6 * HOUR_S;

/** The current run, with its times as they are counted at this moment. */
export interface Running {
  readonly state: State;
  readonly elapsedMs: number;
  readonly remainingMs: number | null;
}

export interface Block {
  readonly kind: "timer" | "manual";
  /** `present` is what has passed of the current run, `ahead` what is planned of it still. */
  readonly part: "past" | "present" | "ahead";
  /** Nobody knows when it ended: it is as long as it was planned, or until something else is known. */
  readonly interrupted: boolean;
  readonly from: number;
  readonly to: number;
  /** Null for the current run. */
  readonly action: Action | null;
}

export interface Tick {
  readonly at: number;
  /** Every second tick has one: there is no room for more beside each other on a telephone. */
  readonly label: string | null;
}

/** Everything to be drawn, the earliest first. Rows that a wrong wall clock wrote are left out where that shows. */
export function blocksOf(actions: readonly Action[], running: Running | null, now: string): Block[] {
  const at = secondsOf(now);
  if (at === null) return [];

  const current = running === null ? [] : currentBlocks(running, at);
  const runs = actions.flatMap((action) => datedOf(action, at));
  const starts = runs.map((run) => run.start);
  if (running !== null) starts.push(at - running.elapsedMs / 1000);

  const past = runs.flatMap(({ action, start }) => pastBlock(action, start, starts, at));
  return [...past.sort((a, b) => a.from - b.from), ...current];
}

/** Whole hours of the line. */
export function ticksOf(now: string): Tick[] {
  const at = secondsOf(now);
  if (at === null) return [];

  const ticks: Tick[] = [];
  const first = Math.ceil((at - BACK_S) / TICK_EVERY_S) * TICK_EVERY_S;
  for (let hour = first; hour <= at + AHEAD_S; hour += TICK_EVERY_S) {
    ticks.push({ at: shareOf(hour, at), label: hour % LABEL_EVERY_S === 0 ? hourLabel(hour) : null });
  }
  return ticks;
}

interface Dated {
  readonly action: Action;
  readonly start: number;
}

/** Nothing for a run that begins or ends in the future: the wall clock was another one then. */
function datedOf(action: Action, at: number): Dated[] {
  const start = secondsOf(action.start);
  if (start === null) return [];
  const isAhead = start + (action.duration_ms ?? 0) / 1000 > at + LATE_S;
  return isAhead ? [] : [{ action, start }];
}

function pastBlock(action: Action, start: number, starts: readonly number[], at: number): Block[] {
  const interrupted = action.duration_ms === null;
  // It cannot have lasted into another run.
  const bounds = interrupted ? starts.filter((other) => other > start) : [];
  const length = (action.duration_ms ?? action.planned_ms ?? 0) / 1000;
  const end = Math.min(start + length, at, ...bounds);
  if (end <= at - BACK_S) return [];

  const narrowest = interrupted ? NARROWEST_HATCHED : NARROWEST;
  const place = visible(shareOf(start, at), shareOf(end, at), NOW, narrowest);
  return [{ kind: kindOf(action.mode), part: "past", interrupted, ...place, action }];
}

function currentBlocks({ state, elapsedMs, remainingMs }: Running, at: number): Block[] {
  if (state.mode === "wait") return [];

  const common = { kind: kindOf(state.mode), interrupted: false, action: null } as const;
  const passed = visible(shareOf(at - elapsedMs / 1000, at), NOW, NOW);
  const present: Block = { ...common, part: "present", ...passed };
  if (remainingMs === null || remainingMs <= 0) return [present];

  const planned = visible(NOW, shareOf(at + remainingMs / 1000, at), 1);
  return [present, { ...common, part: "ahead", ...planned }];
}

function kindOf(mode: Action["mode"]): Block["kind"] {
  return mode === "manual" ? "manual" : "timer";
}

function shareOf(seconds: number, at: number): number {
  return (seconds - (at - BACK_S)) / LINE_S;
}

/** What of a stretch lies on the line up to `last`, wide enough to be seen. */
function visible(from: number, to: number, last: number, narrowest = NARROWEST): { from: number; to: number } {
  const begin = Math.max(0, from);
  const end = Math.min(Math.max(to, begin + narrowest), last);
  return { from: Math.min(begin, end - narrowest), to: end };
}
