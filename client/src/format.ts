// How durations and moments are written, and typed seconds read. Never parses a moment: the gateway's local time has no
// zone, so it is cut at the `T` and shown character for character.
import type { Language } from "./texts";

export interface WrittenMoment {
  date: string;
  time: string;
}

export function moment(written: string): WrittenMoment {
  const cut = written.indexOf("T");
  return cut < 0 ? { date: "", time: written } : { date: written.slice(0, cut), time: written.slice(cut + 1) };
}

/** Whole seconds only: milliseconds of starts and ends are noise to a person. */
export function shortMoment(written: string): WrittenMoment {
  const { date, time } = moment(written);
  return { date, time: time.split(".")[0] ?? time };
}

/** A running figure: `0:09`, `2:30`, `1:00:00`. Rounded up, so that 0:00 means over. */
export function countdown(ms: number): string {
  return figures(Math.ceil(ms / 1000));
}

/** The other direction: only seconds that have passed count. */
export function stopwatch(ms: number): string {
  return figures(Math.floor(ms / 1000));
}

/** A length of time in words: `9.8 s`, `2 min 30 s`, `1 h 00 min 05 s`. */
export function duration(ms: number, language: Language): string {
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${decimal(tenths / 10, language)} s`;

  const { hours, minutes, seconds } = parts(Math.round(ms / 1000));
  const tail = seconds === 0 ? "" : ` ${padded(seconds)} s`;
  if (hours === 0) return `${minutes} min${tail}`;
  return minutes === 0 && seconds === 0 ? `${hours} h` : `${hours} h ${padded(minutes)} min${tail}`;
}

/** The longest timer of the contract. The gateway may allow less and says so itself. */
export const LONGEST_SECONDS = 86_400;

/** What a person typed as minutes and seconds, where the timer can take it; else null. An empty field is none. */
export function lengthOf(minutes: string, seconds: string): number | null {
  if (minutes === "" && seconds === "") return null;
  if (![minutes, seconds].every((written) => /^\d{0,6}$/.test(written))) return null;
  const length = Number(minutes) * 60 + Number(seconds);
  return length >= 1 && length <= LONGEST_SECONDS ? length : null;
}

/** A length as the two fields show it. */
export function fieldsOf(length: number): { minutes: string; seconds: string } {
  return { minutes: String(Math.floor(length / 60)), seconds: String(length % 60) };
}

function decimal(value: number, language: Language): string {
  return value.toLocaleString(language, { maximumFractionDigits: 1 });
}

function figures(total: number): string {
  const { hours, minutes, seconds } = parts(total);
  return hours === 0 ? `${minutes}:${padded(seconds)}` : `${hours}:${padded(minutes)}:${padded(seconds)}`;
}

function parts(total: number): { hours: number; minutes: number; seconds: number } {
  return { hours: Math.floor(total / 3600), minutes: Math.floor(total / 60) % 60, seconds: total % 60 };
}

function padded(value: number): string {
  return String(value).padStart(2, "0");
}
