// How figures, moments, addresses and the language come out.
import { describe, expect, it } from "vitest";
import { countdown, duration, fieldsOf, lengthOf, LONGEST_SECONDS, moment, shortMoment, stopwatch } from "./format";
import { addressOf, placeOf } from "./place";
import { choose, TEXTS, word } from "./texts";

describe("moments", () => {
  it("are cut, never parsed", () => {
    expect(moment("2026-11-23T09:14:00")).toEqual({ date: "2026-11-23", time: "09:14:00" });
    expect(moment("nonsense")).toEqual({ date: "", time: "nonsense" });
    expect(shortMoment("2026-11-23T09:14:00.123")).toEqual({ date: "2026-11-23", time: "09:14:00" });
  });
});

describe("lengths", () => {
  it("run down to 0:00 only at the end and run up by whole seconds", () => {
    expect(countdown(10_000)).toBe("0:10");
    expect(countdown(1)).toBe("0:01");
    expect(countdown(0)).toBe("0:00");
    expect(countdown(86_400_000)).toBe("24:00:00");
    expect(stopwatch(999)).toBe("0:00");
    expect(stopwatch(3_661_000)).toBe("1:01:01");
  });

  it("are said in words", () => {
    expect(duration(9840, "en")).toBe("9.8 s");
    expect(duration(9840, "fr")).toBe("9,8 s");
    expect(duration(10_000, "en")).toBe("10 s");
    expect(duration(59_990, "en")).toBe("1 min");
    expect(duration(150_000, "en")).toBe("2 min 30 s");
    expect(duration(3_600_000, "en")).toBe("1 h");
    expect(duration(3_605_000, "en")).toBe("1 h 00 min 05 s");
    expect(duration(5_400_000, "en")).toBe("1 h 30 min");
  });
});

describe("a typed length", () => {
  it("is minutes and seconds, where an empty field is none, up to a day", () => {
    expect(lengthOf("2", "30")).toBe(150);
    expect(lengthOf("5", "")).toBe(300);
    expect(lengthOf("", "90")).toBe(90);
    expect(lengthOf("1440", "0")).toBe(LONGEST_SECONDS);
  });

  it("is nothing else", () => {
    const wrong = [["", ""], ["0", "0"], ["1440", "1"], ["1.5", ""], ["-1", "70"], ["1e1", ""], ["ten", ""]];
    for (const [minutes = "", seconds = ""] of wrong) expect(lengthOf(minutes, seconds)).toBeNull();
  });

  it("is shown as it was meant", () => {
    expect(fieldsOf(150)).toEqual({ minutes: "2", seconds: "30" });
    expect(fieldsOf(10)).toEqual({ minutes: "0", seconds: "10" });
  });
});

describe("places", () => {
  it("are the list or one system", () => {
    expect(placeOf("/")).toEqual({ page: "list" });
    expect(placeOf("/console/north")).toEqual({ page: "system", id: "north" });
    expect(placeOf("/console/north/")).toEqual({ page: "system", id: "north" });
    expect(placeOf("/console/%zz")).toEqual({ page: "system", id: "%zz" });
    expect(placeOf(addressOf("a b"))).toEqual({ page: "system", id: "a b" });
  });
});

describe("languages", () => {
  it("follow the choice, then the browser, then English", () => {
    expect(choose(null, ["de-DE", "fr-CH", "en"])).toBe("fr");
    expect(choose("en", ["fr"])).toBe("en");
    expect(choose("xx", [])).toBe("en");
  });

  it("show the gateway's own word where they have none", () => {
    expect(word(TEXTS.fr.outcome, "completed")).toBe("terminé");
    expect(word(TEXTS.fr.outcome, "frozen")).toBe("frozen");
  });
});
