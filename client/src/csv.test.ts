// The table of the runs: what a spreadsheet reads, and what it must not execute.
import { describe, expect, it } from "vitest";
import { csvOf } from "./csv";
import type { Action } from "./wire";

function action(more: Partial<Action> = {}): Action {
  return {
    system: "north",
    id: 4,
    mode: "timer",
    start: "2026-11-23T09:14:00.250",
    end: "2026-11-23T09:14:30.250",
    duration_ms: 30_000,
    planned_ms: 60_000,
    outcome: "stopped",
    by: "Maria",
    ended_by: "Jo",
    ...more,
  };
}

/** The cells of the only row, as any reader of RFC 4180 takes them. */
function cells(more: Partial<Action>): string[] {
  const row = parsed(csvOf([action(more)]))[1];
  if (row === undefined) throw new Error("no row");
  return row;
}

function parsed(csv: string): string[][] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  field.lastIndex = 1;
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of csv.matchAll(field)) {
    rows.at(-1)?.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    if (end === "\r\n") rows.push([]);
  }
  expect(rows.pop(), "it ends with the end of a row").toEqual([]);
  return rows;
}

describe("the table", () => {
  it("begins with a byte order mark and the names of the wire", () => {
    expect(csvOf([])).toBe("\uFEFFsystem,id,mode,start,end,duration_ms,planned_ms,outcome,by,ended_by\r\n");
  });

  it("has a row for each run, in their order", () => {
    const csv = csvOf([action(), action({ id: 3, by: null, ended_by: null })]);
    expect(csv.split("\r\n").slice(1)).toEqual([
      "north,4,timer,2026-11-23T09:14:00.250,2026-11-23T09:14:30.250,30000,60000,stopped,Maria,Jo",
      "north,3,timer,2026-11-23T09:14:00.250,2026-11-23T09:14:30.250,30000,60000,stopped,,",
      "",
    ]);
  });

  it("leaves empty what is not known", () => {
    const row = cells({ end: null, duration_ms: null, planned_ms: null, by: null, ended_by: null });
    expect(row).toEqual(["north", "4", "timer", "2026-11-23T09:14:00.250", "", "", "", "stopped", "", ""]);
  });

  it("keeps every name whole", () => {
    for (const by of ["a,b", 'say "water"', '"', "Zoé, née 果樹園", "two\r\nlines", " spaces "]) {
      expect(cells({ by })[8], by).toBe(by);
      expect(cells({ by }), by).toHaveLength(10);
    }
  });
});

describe("a name that looks like a formula", () => {
  it("is a text, in both widths of its first letter", () => {
    for (const first of ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]) {
      const name = `${first}cmd|'/c calc'!A0`;
      expect(csvOf([action({ by: name })])).toContain(`,"'${name}",Jo`);
      expect(csvOf([action({ ended_by: name })])).toContain(`,"'${name}"\r\n`);
    }
  });

  it("cannot leave its cell", () => {
    const by = '=HYPERLINK("http://evil","x"),=1';
    expect(cells({ by })).toHaveLength(10);
    expect(cells({ by })[8]).toBe(`'=HYPERLINK("http://evil","x"),'=1`);
  });

  it("is one in no cell either where a semicolon or a tab ends it", () => {
    for (const end of [";", "\t", '";', "; "]) {
      const written = csvOf([action({ by: `x${end}=1+1` })]);
      expect(written, end).not.toMatch(/[;\t,]\s*"*=/);
      expect(cells({ by: `x${end}=1+1` })[8], end).toBe(`x${end}'=1+1`);
    }
  });

  it("is left alone where the letter comes later, and a number stays a number", () => {
    expect(cells({ by: "pump-3" })[8]).toBe("pump-3");
    expect(csvOf([action({ duration_ms: -1 })])).toContain(",-1,60000,");
  });
});
