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

/** What spreadsheets take for the beginning of a formula, in both widths. `by` is not checked: anybody may send it. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/** The rows in the order in which they come, under a row of names. */
export function csvOf(actions: readonly Action[]): string {
  const rows = actions.map((action) => COLUMNS.map((column) => cellOf(action[column])));
  return BYTE_ORDER_MARK + [COLUMNS, ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}

function cellOf(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  if (FORMULA.test(value)) return quoted(`'${value}`);
  return /[",\r\n]/.test(value) ? quoted(value) : value;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
