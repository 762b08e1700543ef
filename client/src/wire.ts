// The shapes that travel between the gateway and this page, as the contract writes them.
// Holds types and the list of modes and commands; never any behaviour.

export type Mode = "wait" | "timer" | "manual";

export type Command = "manual" | "timer" | "stop";

export type Outcome = "completed" | "stopped" | "replaced" | "limited" | "interrupted";

export type Reason = "timer_running" | "manual_has_priority" | "manual_running" | "not_running";

/** A full value, never a delta. Times are zoneless local times of the server. */
export interface State {
  system: string;
  seq: number;
  mode: Mode;
  start: string | null;
  end: string | null;
  elapsed_ms: number | null;
  remaining_ms: number | null;
  by: string | null;
}

/** `seq` is that of the current state, so that a missed change shows within a second. `stale_ms` is there while the
 *  gateway does not reach its store: for so long it has not known whether its state is still the newest. */
export interface Clock {
  system: string;
  now: string;
  seq: number;
  stale_ms?: number;
}

export interface System {
  id: string;
  name: string;
  timer_seconds: number;
  lease_seconds: number;
  state: State;
  clock: Clock;
}

/** One finished run. `end` and `duration_ms` are null when the machine went down during it. */
export interface Action {
  system: string;
  id: number;
  mode: Mode;
  start: string;
  end: string | null;
  duration_ms: number | null;
  planned_ms: number | null;
  outcome: Outcome;
  by: string | null;
  /** Who stopped or replaced it; null when it ended by itself. */
  ended_by: string | null;
}

/** What this page reads of `/healthz`. */
export interface Health {
  clock_plausible: boolean;
}

export type Answer =
  | { changed: true; state: State }
  | { changed: false; reason: Reason; state: State };

export interface Refusal {
  code: string;
  message: string;
}

export type JoinAck = { ok: true; system: System } | { ok: false; error: Refusal };
