// The HTTP side of the gateway: commands, the list, the history.
// Never retries and never keeps anything: one call, one answer, or one of two failures.
import type { Action, Answer, Command, Health, Refusal, System } from "./wire";

const PATIENCE_MS = 10_000;

/** The gateway answered with an error of the contract. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Nothing that can be understood came back: it is not known what happened. */
export class NoAnswer extends Error {}

export function systems(): Promise<System[]> {
  return ask<System[]>("GET", "/systems");
}

export function history(id: string, limit: number): Promise<Action[]> {
  return ask<Action[]>("GET", `${addressOf(id)}/history?limit=${limit}`);
}

export function health(): Promise<Health> {
  return ask<Health>("GET", "/healthz");
}

/** `seconds` belongs to the timer alone. */
export function send(id: string, command: Command, seconds: number | null): Promise<Answer> {
  const query = new URLSearchParams({ by: "console" });
  if (seconds !== null) query.set("seconds", String(seconds));
  return ask<Answer>("POST", `${addressOf(id)}/${command}?${query.toString()}`);
}

function addressOf(id: string): string {
  return `/systems/${encodeURIComponent(id)}`;
}

async function ask<T>(method: "GET" | "POST", address: string): Promise<T> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(address, { method, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    body = await response.json();
  } catch {
    throw new NoAnswer();
  }
  if (response.ok) return body as T;
  throw isErrorBody(body) ? new Refused(body.error) : new NoAnswer();
}

function isErrorBody(body: unknown): body is { error: Refusal } {
  const error = (body as { error?: Partial<Refusal> } | null)?.error;
  return typeof error?.code === "string" && typeof error.message === "string";
}
