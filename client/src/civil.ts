// The gateway's local times as numbers on one axis, by arithmetic alone: distances can be drawn then.
// Never asks the runtime: it would read a time without a zone in the zone of the browser, and jump an hour twice a year.

const DAY_S = 86_400;
const HOUR_S = 3600;

const WRITTEN = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/;

/** Seconds since the midnight before 1970-01-01, on the gateway's own calendar; null where it is no moment. */
export function secondsOf(written: string): number | null {
  const figures = WRITTEN.exec(written)?.slice(1).map(Number);
  if (figures === undefined) return null;

  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = figures;
  const isDate = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  if (!isDate || hour > 23 || minute > 59 || second >= 60) return null;
  return daysOf(year, month, day) * DAY_S + hour * HOUR_S + minute * 60 + second;
}

/** The hour in which a moment of the axis lies: `06:00`. */
export function hourLabel(seconds: number): string {
  return `${timeLabel(seconds).slice(0, 2)}:00`;
}

/** The time of day of a moment of the axis, in whole seconds: `06:59:59`. */
export function timeLabel(seconds: number): string {
  const ofDay = Math.floor(modulo(seconds, DAY_S));
  const figures = [Math.floor(ofDay / HOUR_S), Math.floor(ofDay / 60) % 60, ofDay % 60];
  return figures.map((figure) => String(figure).padStart(2, "0")).join(":");
}

/**
 * Days since 1970-01-01. The year begins in March here, so that the odd day of a leap year is its last
 * (https://howardhinnant.github.io/date_algorithms.html#days_from_civil).
 */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * modulo(month - 3, 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** The remainder that is never negative. */
function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
