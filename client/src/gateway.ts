// The HTTP side of the gateway: commands, the list, the history.
// Never sends anything twice and never keeps anything: one call, one answer, or one of two failures.
import type { Ask } from "./events";
import type { Action, Answer, Health, Refusal, System } from "./wire";

const PATIENCE_MS = 10_000;

/** Of a command, counted from when it leaves. It may be sent again, so its silence need not be waited out. */
const COMMAND_PATIENCE_MS = 4000;

/** Browsers open no more connections to one host; a stop that waited for one would seem unanswered. */
const AT_ONCE = 6;

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
  return ask<System[]>("/systems");
}

export function runningSystems(): Promise<System[]> {
  return ask<System[]>("/systems?running=true");
}

/** `before`: only what is older than this action; null for the newest. */
export function history(id: string, limit: number, before: number | null): Promise<Action[]> {
  const older = before === null ? "" : `&before=${before}`;
  return ask<Action[]>(`${addressOf(id)}/history?limit=${limit}${older}`);
}

export function health(): Promise<Health> {
  return ask<Health>("/healthz");
}

/** The same key always carries the same command, so it may be called again with it. */
export function send(id: string, { key, command, seconds }: Ask): Promise<Answer> {
  const query = new URLSearchParams({ by: "console" });
  if (command === "timer" && seconds !== null) query.set("seconds", String(seconds));
  const address = `${addressOf(id)}/${command}?${query.toString()}`;
  // A page that is left must not take its stop with it. A start must end with the wait for it: what goes on without the
  // page keeps its connection, and the gateway cannot see that nobody waits.
  const keepalive = command === "stop";
  const post = { method: "POST", headers: { "Idempotency-Key": `"${key}"` }, keepalive };
  const sent = (): Promise<Answer> => ask<Answer>(address, post, COMMAND_PATIENCE_MS);
  return command === "stop" ? inTurn(sent) : sent();
}

/** `crypto.randomUUID` is only for pages over TLS, which a farm need not have. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addressOf(id: string): string {
  return `/systems/${encodeURIComponent(id)}`;
}

const waiting: (() => void)[] = [];
let underWay = 0;

/** First come, first served, some at a time. */
async function inTurn<T>(call: () => Promise<T>): Promise<T> {
  if (underWay >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else underWay += 1;
  try {
    return await call();
  } finally {
    const next = waiting.shift();
    if (next === undefined) underWay -= 1;
    else next();
  }
}

async function ask<T>(address: string, how: RequestInit = {}, patience = PATIENCE_MS): Promise<T> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(patience), ...how });
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
