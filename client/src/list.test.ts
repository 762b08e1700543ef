// The order of the cards, the search, the pages.
import { describe, expect, it } from "vitest";
import { arranged, CARDS, listed, runningListed, withMode } from "./list";
import { state, system, timer } from "./testing";
import type { System } from "./wire";

function named(id: string, name: string, isRunning = false): System {
  const current = isRunning ? timer(1, 5000, { system: id }) : state(1, { system: id });
  return { ...system(current), name };
}

const three = listed([named("a", "Orchard"), named("b", "North field", true), named("c", "Été, serre")]);

describe("the cards", () => {
  it("stand by name, what runs first", () => {
    expect([...three.running]).toEqual(["b"]);
    const cards = arranged(three, three.running, "", 0);
    expect(cards).toEqual({ running: ["b"], waiting: ["c", "a"], page: 0, pages: 1, found: 3 });
  });

  it("are found by every word of name or id, whatever its case and accents", () => {
    const found = (search: string): readonly string[] => arranged(three, new Set(), search, 0).waiting;
    expect(found("FIELD nor")).toEqual(["b"]);
    expect(found("ete")).toEqual(["c"]);
    expect(found("a")).toEqual(["a"]);
    expect(found("nowhere")).toEqual([]);
  });

  it("come a page at a time, and a page that is gone is the last one", () => {
    const many = listed(Array.from({ length: 2 * CARDS + 50 }, (_, index) => named(`s${index}`, `System ${index}`)));
    expect(arranged(many, new Set(["s249"]), "", 0).running).toEqual(["s249"]);
    expect(arranged(many, new Set(), "", 1).waiting).toHaveLength(CARDS);
    expect(arranged(many, new Set(), "", 9)).toMatchObject({ page: 2, pages: 3 });
    expect(arranged(many, new Set(), "", 2).waiting).toHaveLength(50);
  });

  it("learn what runs from a look at the running ones, and from an answer", () => {
    expect([...runningListed(three, [named("a", "Orchard", true)]).running]).toEqual(["a"]);
    expect([...withMode(three, "b", "wait").running]).toEqual([]);
    expect([...withMode(three, "a", "manual").running]).toEqual(["b", "a"]);
  });
});
