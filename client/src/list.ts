// The systems of the gateway as the overview shows them: what runs first, the rest by name, a page at a time.
// Never knows of rooms: what they know better is handed in.
import type { Mode, System } from "./wire";

/** As many cards stand on a page; with more systems than that only those in sight are joined. */
export const CARDS = 100;

/** From so many on, a search is worth its room. */
export const SEARCHED_FROM = 13;

export interface List {
  /** In order of name. Null: not heard yet. */
  readonly systems: ReadonlyMap<string, System> | null;
  /** Those that ran when the list was asked for last. */
  readonly running: ReadonlySet<string>;
  readonly failed: boolean;
}

export const EMPTY_LIST: List = { systems: null, running: new Set(), failed: false };

export function listed(systems: readonly System[]): List {
  const byName = [...systems].sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
  return { systems: new Map(byName.map((each) => [each.id, each])), running: runningOf(systems), failed: false };
}

export function runningListed(list: List, systems: readonly System[]): List {
  return { ...list, running: runningOf(systems), failed: false };
}

export function withMode(list: List, id: string, mode: Mode): List {
  const running = new Set(list.running);
  if (mode === "wait") running.delete(id);
  else running.add(id);
  return { ...list, running };
}

function runningOf(systems: readonly System[]): ReadonlySet<string> {
  return new Set(systems.filter((each) => each.state.mode !== "wait").map((each) => each.id));
}

export interface Arrangement {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
  readonly page: number;
  readonly pages: number;
  /** How many systems the search found. */
  readonly found: number;
}

/** The cards of one page. `running`: what runs as far as is known now. */
export function arranged(list: List, running: ReadonlySet<string>, search: string, page: number): Arrangement {
  const words = plain(search).split(/\s+/);
  const systems = [...(list.systems?.values() ?? [])];
  const found = search === "" ? systems : systems.filter((each) => matches(each, words));
  const ids = found.map((each) => each.id);
  const ordered = [...ids.filter((id) => running.has(id)), ...ids.filter((id) => !running.has(id))];
  const pages = Math.max(1, Math.ceil(ordered.length / CARDS));
  const shown = Math.min(page, pages - 1);
  const cards = ordered.slice(shown * CARDS, (shown + 1) * CARDS);
  return {
    running: cards.filter((id) => running.has(id)),
    waiting: cards.filter((id) => !running.has(id)),
    page: shown,
    pages,
    found: ordered.length,
  };
}

/** Every word stands in the name or the id, whatever its case and accents. */
function matches(system: System, words: readonly string[]): boolean {
  const text = plain(`${system.name} ${system.id}`);
  return words.every((word) => text.includes(word));
}

function plain(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase();
}
