// The finished runs of one system as far as this page has them: newest first, each once.
// Never loads anything: it says what to load next.
import { secondsOf } from "./civil";
import type { Action } from "./wire";

/** A page of the history, the largest the gateway gives. */
export const PAGE = 100;

/** How many rows are shown at first, and how many more each time. */
export const ROWS = 10;

/** As many as the gateway keeps. */
const KEPT = 1000;

const DAY_S = 86_400;

export interface Records {
  readonly actions: readonly Action[];
  /** Nothing older is left at the gateway. */
  readonly complete: boolean;
  readonly shown: number;
  /** Null: all is well. Empty: it is not known why the last load failed. */
  readonly error: string | null;
}

export const NO_RECORDS: Records = { actions: [], complete: false, shown: ROWS, error: null };

export function withAction(records: Records, action: Action): Records {
  return { ...records, actions: merged(records.actions, [action]) };
}

/** `before`: what the page was asked for; null for the newest. */
export function withPage(records: Records, before: number | null, page: readonly Action[]): Records {
  const isLast = page.length < PAGE;
  // The newest page that does not reach what is known leaves a gap: what is older is loaded anew.
  const oldest = page.at(-1);
  const known = records.actions[0];
  const isGap = before === null && !isLast && oldest !== undefined && known !== undefined && oldest.id > known.id;
  const base = isGap ? [] : records.actions;
  return {
    ...records,
    actions: merged(base, page),
    complete: isLast || (records.complete && !isGap),
    error: null,
  };
}

/** Where to go on loading: the last 24 hours are drawn, and as many rows are shown as were asked for. */
export function nextPage(records: Records, now: string | null): number | null {
  const oldest = records.actions.at(-1);
  if (records.complete || oldest === undefined || records.actions.length >= KEPT) return null;
  const isShort = records.shown > records.actions.length;
  return isShort || isWithinDay(oldest, now) ? oldest.id : null;
}

export function hasOlder(records: Records): boolean {
  return !records.complete || records.shown < records.actions.length;
}

function isWithinDay(action: Action, now: string | null): boolean {
  const start = secondsOf(action.start);
  const end = now === null ? null : secondsOf(now);
  return start !== null && end !== null && start > end - DAY_S;
}

function merged(known: readonly Action[], news: readonly Action[]): readonly Action[] {
  const byId = new Map([...known, ...news].map((action) => [action.id, action]));
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, KEPT);
}
