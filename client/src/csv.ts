// Runs as a table for spreadsheets: RFC 4180, with the names of the wire.
// Never translates, sorts or cuts anything, and never lets a name that somebody typed become a formula.
import type { Action } from "./wire";

const COLUMNS = [
  "system",
  "id",
  "mode",
  "start",
  "end",
  "duration_ms",
  "planned_ms",
  "outcome",
  "by",
  "ended_by",
] as const satisfies readonly (keyof Action)[];

/** Without it, some spreadsheets read accents as two strange letters. */
const BYTE_ORDER_MARK = "\uFEFF";

/**
 * What spreadsheets take for the beginning of a formula, in both widths: at the beginning of a cell, and after what some of
 * them take for the end of one. `by` is not checked: anybody may send it.
 */
const FORMULA = /^(?=[\t\r\n])|(^[\s"']*|[;,\t\r\n"'][\s"']*)(?=[=+\-@＝＋－＠])/gu;

/** The rows in the order in which they come, under a row of names. */
export function csvOf(actions: readonly Action[]): string {
  const rows = actions.map((action) => COLUMNS.map((column) => cellOf(action[column])));
  return BYTE_ORDER_MARK + [COLUMNS, ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** A text with anything that separates cells somewhere stays within one. */
function cellOf(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = value.replace(FORMULA, "$1'");
  return safe === value && !/[",;\t\r\n]/.test(value) ? value : `"${safe.replaceAll('"', '""')}"`;
}
