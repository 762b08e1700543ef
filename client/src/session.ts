// The page, live: carries news from the socket and from HTTP into the model, and carries out its effects.
// Never decides what news means (model.ts) and never draws (views/).
import { batch, signal, type ReadonlySignal } from "@preact/signals";
import type { Effect, Event, Instant } from "./events";
import * as gateway from "./gateway";
import { begin, reduce, unconfirmedStops, type Model } from "./model";
import type { Place } from "./place";
import { PAGE } from "./records";
import { recallHere, rememberHere } from "./remembered";
import { Link } from "./link";
import { CARDS } from "./list";
import type { Action, Command } from "./wire";
import { onWake, watchSleep } from "./waking";

const REFRESH_MS = 250;
const AGAIN_MS = 3000;
/** A command that was not answered goes out again after this. */
const SEND_AGAIN_MS = 1000;
const RUNNING_AGAIN_MS = 5000;
const HEALTH_AGAIN_MS = 60_000;

export interface Session {
  readonly model: ReadonlySignal<Model>;
  /** The moment to draw ages and countdowns for; moves four times a second. */
  readonly at: ReadonlySignal<Instant>;
  readonly command: (id: string, command: Command, seconds?: number) => void;
  readonly refuseLength: (id: string) => void;
  readonly stopAll: () => void;
  /** The rooms to look at, and no others. */
  readonly want: (ids: readonly string[]) => void;
  readonly showOlder: (id: string) => void;
  /** The whole history that the gateway keeps of a system. */
  readonly wholeHistory: (id: string) => Promise<Action[]>;
}

export function open(place: Place): Session {
  const model = signal(begin(place, performance.now()));
  const at = signal(performance.now());

  function dispatch(event: Event): void {
    const step = reduce(model.peek(), event);
    batch(() => {
      model.value = step.model;
      keepStops(step.model);
      // News is never drawn for a moment before it came.
      at.value = performance.now();
    });
    step.effects.forEach(carryOut);
  }

  const link = new Link(dispatch);
  const carryOut = worker(link, dispatch);
  watch(dispatch, model);
  takeUpStops(dispatch);
  link.connect();

  return {
    model,
    at,
    command: (id, command, seconds) => {
      const key = gateway.newKey();
      dispatch({ kind: "asked", id, key, command, seconds: seconds ?? null, at: performance.now() });
    },
    refuseLength: (id) => {
      dispatch({ kind: "bad_length", id });
    },
    stopAll: () => {
      dispatch({ kind: "stop_all", key: gateway.newKey(), at: performance.now() });
    },
    want: (ids) => {
      dispatch({ kind: "wanted", ids, at: performance.now() });
    },
    showOlder: (id) => {
      dispatch({ kind: "older_wanted", id });
    },
    wholeHistory,
  };
}

type Dispatch = (event: Event) => void;

/** Carries out what the model asks for. */
function worker(link: Link, dispatch: Dispatch): (effect: Effect) => void {
  const joinsLater = new Timers();
  const sendsLater = new Timers();
  const listLater = new Timers();
  return (effect) => {
    switch (effect.kind) {
      case "join":
        link.join(effect.id);
        return;
      case "leave":
        link.leave(effect.id);
        return;
      case "join_later":
        joinsLater.set(effect.id, AGAIN_MS, () => {
          dispatch({ kind: "join_due", id: effect.id, at: performance.now() });
        });
        return;
      case "reconnect":
        link.reconnect();
        return;
      case "load_list":
        void loadList(dispatch);
        return;
      case "load_list_later":
        listLater.set("all", AGAIN_MS, () => {
          dispatch({ kind: "list_due" });
        });
        return;
      case "load_running":
        void loadRunning(dispatch);
        return;
      case "load_running_later":
        listLater.set("running", AGAIN_MS, () => {
          dispatch({ kind: "running_due" });
        });
        return;
      case "load_history":
        void loadHistory(effect.id, effect.before, dispatch);
        return;
      case "ask_health":
        void askHealth(dispatch);
        return;
      case "send":
        void send(effect, dispatch);
        return;
      case "send_later":
        sendsLater.set(effect.id, SEND_AGAIN_MS, () => {
          dispatch({ kind: "send_due", id: effect.id, key: effect.key, at: performance.now() });
        });
        return;
    }
  };
}

/** What happens by itself: time passes, the page wakes up, questions fall due. */
function watch(dispatch: Dispatch, model: ReadonlySignal<Model>): void {
  setInterval(() => {
    dispatch({ kind: "ticked", at: performance.now() });
  }, REFRESH_MS);
  setInterval(() => {
    if (isSeen()) dispatch({ kind: "health_due" });
  }, HEALTH_AGAIN_MS);
  setInterval(() => {
    if (isSeen() && isPartlySeen(model.peek())) void loadRunning(dispatch);
  }, RUNNING_AGAIN_MS);
  onWake(() => {
    dispatch({ kind: "woken", at: performance.now() });
  });
  addEventListener("beforeunload", (event) => {
    if (unconfirmedStops(model.peek()).length > 0) event.preventDefault();
  });
  watchSleep((ms) => {
    dispatch({ kind: "slept", ms });
    dispatch({ kind: "woken", at: performance.now() });
  });
}

const STOPS = "stops";

/** A page that is left must not take its stops with it: the next one in this tab goes on with them. */
function keepStops(model: Model): void {
  const stops = unconfirmedStops(model);
  const written = stops.length === 0 ? null : JSON.stringify(stops);
  if (written !== recallHere(STOPS)) rememberHere(STOPS, written);
}

function takeUpStops(dispatch: Dispatch): void {
  const stops = JSON.parse(recallHere(STOPS) ?? "[]") as ReturnType<typeof unconfirmedStops>;
  for (const { id, key } of stops) {
    dispatch({ kind: "asked", id, key, command: "stop", seconds: null, at: performance.now() });
  }
}

function isSeen(): boolean {
  return document.visibilityState === "visible";
}

/** With more systems than cards, what runs out of sight is known only by asking. */
function isPartlySeen({ list }: Model): boolean {
  return (list.systems?.size ?? 0) > CARDS;
}

async function loadList(dispatch: Dispatch): Promise<void> {
  try {
    dispatch({ kind: "listed", systems: await gateway.systems() });
  } catch {
    dispatch({ kind: "list_failed" });
  }
}

async function loadRunning(dispatch: Dispatch): Promise<void> {
  try {
    const systems = await gateway.runningSystems();
    dispatch({ kind: "running_listed", systems, at: performance.now() });
  } catch {
    dispatch({ kind: "running_failed" });
  }
}

async function loadHistory(id: string, before: number | null, dispatch: Dispatch): Promise<void> {
  try {
    dispatch({ kind: "history", id, before, actions: await gateway.history(id, PAGE, before) });
  } catch (failure) {
    const message = failure instanceof gateway.Refused ? failure.message : "";
    dispatch({ kind: "history_failed", id, message });
  }
}

async function wholeHistory(id: string): Promise<Action[]> {
  const actions: Action[] = [];
  for (;;) {
    const page = await gateway.history(id, PAGE, actions.at(-1)?.id ?? null);
    actions.push(...page);
    if (page.length < PAGE) return actions;
  }
}

async function askHealth(dispatch: Dispatch): Promise<void> {
  try {
    const { clock_plausible } = await gateway.health();
    dispatch({ kind: "health", clockPlausible: clock_plausible });
  } catch {
    // What is known stays known; the link says by itself when it is broken.
  }
}

async function send({ id, ask }: Extract<Effect, { kind: "send" }>, dispatch: Dispatch): Promise<void> {
  const { key } = ask;
  try {
    const answer = await gateway.send(id, ask);
    dispatch({ kind: "answered", id, key, answer, at: performance.now() });
  } catch (failure) {
    const at = performance.now();
    if (failure instanceof gateway.Refused) dispatch({ kind: "refused", id, key, error: failure.refusal, at });
    else dispatch({ kind: "unanswered", id, key, at });
  }
}

/** One timer for each name; the latest counts. */
class Timers {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  set(name: string, ms: number, then: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(then, ms));
  }
}
