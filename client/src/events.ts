// What can happen to the page, and what it may want done about it. Only types.
import type { Action, Answer, Clock, Command, Refusal, State, System } from "./wire";

/** Milliseconds of performance.now(). */
export type Instant = number;

/** A command of this page until it is answered. The key makes it safe to send it again. */
export interface Ask {
  readonly key: string;
  readonly command: Command;
  readonly seconds: number | null;
  readonly since: Instant;
  /** How many times it was sent. */
  readonly attempt: number;
  /** A try of it is on its way: it may still be carried out. */
  readonly isUnderWay: boolean;
}

export type Event = PageEvent | RoomEvent;

/** Of the connection, the page itself and the list. */
export type PageEvent =
  | { kind: "connected"; at: Instant }
  | { kind: "disconnected" }
  | { kind: "ticked"; at: Instant }
  | { kind: "woken"; at: Instant }
  /** The machine slept for so long while performance.now() stood still. */
  | { kind: "slept"; ms: number }
  | { kind: "health_due" }
  | { kind: "health"; clockPlausible: boolean }
  | { kind: "listed"; systems: readonly System[] }
  | { kind: "running_listed"; systems: readonly System[]; at: Instant }
  | { kind: "running_failed" }
  | { kind: "running_due" }
  | { kind: "list_failed" }
  | { kind: "list_due" }
  | { kind: "wanted"; ids: readonly string[]; at: Instant }
  | { kind: "stop_all"; key: string; at: Instant };

/** Of one system. */
export type RoomEvent =
  | { kind: "join_due"; id: string; at: Instant }
  | { kind: "joined"; system: System; at: Instant }
  | { kind: "join_refused"; id: string; error: Refusal; at: Instant }
  | { kind: "join_unanswered"; id: string }
  | { kind: "state"; state: State; at: Instant }
  | { kind: "clock"; clock: Clock; at: Instant }
  | { kind: "action"; action: Action }
  | { kind: "history"; id: string; before: number | null; actions: readonly Action[] }
  | { kind: "history_failed"; id: string; message: string }
  | { kind: "older_wanted"; id: string }
  | { kind: "asked"; id: string; key: string; command: Command; seconds: number | null; at: Instant }
  | { kind: "answered"; id: string; key: string; answer: Answer; at: Instant }
  | { kind: "refused"; id: string; key: string; error: Refusal; at: Instant }
  | { kind: "unanswered"; id: string; key: string; at: Instant }
  | { kind: "send_due"; id: string; key: string; at: Instant }
  | { kind: "bad_length"; id: string };

export type Effect =
  | { kind: "join" | "leave" | "join_later"; id: string }
  | { kind: "reconnect" }
  | { kind: "load_list" | "load_list_later" | "load_running" | "load_running_later" }
  | { kind: "load_history"; id: string; before: number | null }
  | { kind: "ask_health" }
  | { kind: "send"; id: string; ask: Ask }
  | { kind: "send_later"; id: string; key: string };
