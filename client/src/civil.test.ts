// Moments as numbers: the calendar, and what is no moment.
import { describe, expect, it } from "vitest";
import { hourLabel, secondsOf, timeLabel } from "./civil";

const DAY_S = 86_400;

function at(written: string): number {
  const seconds = secondsOf(written);
  if (seconds === null) throw new Error(`no moment: ${written}`);
  return seconds;
}

function dateOf(year: number, month: number, day: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T00:00:00`;
}

describe("a moment on the axis", () => {
  it("counts from 1970", () => {
    expect(at("1970-01-01T00:00:00")).toBe(0);
    expect(at("1969-12-31T23:59:59")).toBe(-1);
    expect(at("2000-03-01T00:00:00")).toBe(951_868_800);
    expect(at("2026-11-23T09:14:00")).toBe(1_795_425_240);
  });

  it("keeps fractions of a second", () => {
    expect(at("1970-01-01T00:00:01.250")).toBe(1.25);
    expect(at("2026-11-23T09:14:00.250") - at("2026-11-23T09:14:00")).toBe(0.25);
  });

  it("grows by one day with every day of five hundred years, leap years and centuries among them", () => {
    let days = 0;
    const odd: string[] = [];
    let before = at(dateOf(1799, 12, 31));
    for (let year = 1800; year < 2300; year += 1) {
      for (let month = 1; month <= 12; month += 1) {
        for (let day = 1; day <= 31; day += 1) {
          const date = dateOf(year, month, day);
          const seconds = secondsOf(date);
          if (seconds === null) continue;
          if (seconds - before !== DAY_S) odd.push(date);
          before = seconds;
          days += 1;
        }
      }
    }
    expect(odd).toEqual([]);
    expect(days).toBe(182_621);
  });

  it("is nothing where there is no such date, no such time, or another writing", () => {
    const wrong = [
      "",
      "nonsense",
      "2026-11-23",
      "2026-11-23T09:14",
      "2026-11-23T09:14:00Z",
      "2026-11-23T09:14:00+01:00",
      "2026-11-23 09:14:00",
      "+12026-11-23T09:14:00",
      "2026-00-10T00:00:00",
      "2026-13-10T00:00:00",
      "2026-04-31T00:00:00",
      "2026-02-29T00:00:00",
      "1900-02-29T00:00:00",
      "2026-11-00T00:00:00",
      "2026-11-23T24:00:00",
      "2026-11-23T09:60:00",
      "2026-11-23T09:14:60",
      "2026-11-23T09:14:00.",
    ];
    for (const written of wrong) expect(secondsOf(written), written).toBeNull();
    expect(secondsOf("2000-02-29T00:00:00")).not.toBeNull();
  });
});

describe("the label of an hour", () => {
  it("is the hour of the day, also before 1970", () => {
    expect(hourLabel(at("2026-11-23T06:00:00"))).toBe("06:00");
    expect(hourLabel(at("2026-11-23T06:59:59.999"))).toBe("06:00");
    expect(hourLabel(at("2026-11-24T00:00:00"))).toBe("00:00");
    expect(hourLabel(at("1969-12-31T23:00:00"))).toBe("23:00");
  });
});

describe("the time of day", () => {
  it("is in whole seconds, also before 1970", () => {
    expect(timeLabel(at("2026-11-23T06:59:59.999"))).toBe("06:59:59");
    expect(timeLabel(at("2026-11-24T00:00:00") - 0.5)).toBe("23:59:59");
    expect(timeLabel(at("1969-12-31T23:04:05"))).toBe("23:04:05");
  });
});
