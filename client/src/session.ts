// One system, live: carries news from the socket and from HTTP into the model, and carries out its effects.
// Never decides what news means (model.ts) and never draws (views/).
import { batch, signal, type ReadonlySignal } from "@preact/signals";
import { io, type Socket } from "socket.io-client";
import * as gateway from "./gateway";
import { ACTIONS_SHOWN, begin, reduce, type Effect, type Event, type Instant, type Model } from "./model";
import type { Action, Clock, Command, JoinAck, State } from "./wire";

const JOIN_PATIENCE_MS = 5000;
const JOIN_AGAIN_MS = 3000;
const REFRESH_MS = 250;
const HEALTH_AGAIN_MS = 60_000;

interface FromGateway {
  state: (state: State) => void;
  clock: (clock: Clock) => void;
  action: (action: Action) => void;
}

interface ToGateway {
  join: (id: string, ack: (answer: JoinAck) => void) => void;
}

export interface Session {
  readonly model: ReadonlySignal<Model>;
  /** The moment to draw countdowns for; moves four times a second. */
  readonly at: ReadonlySignal<Instant>;
  readonly command: (command: Command, seconds?: number) => void;
  readonly refuseSeconds: () => void;
}

export function open(id: string): Session {
  const model = signal(begin(id, performance.now()));
  const at = signal(performance.now());
  const socket = connection();
  const joinLater = laterOnce(() => {
    dispatch({ kind: "join_due" });
  });

  function dispatch(event: Event): void {
    const step = reduce(model.value, event);
    batch(() => {
      model.value = step.model;
      // News is never drawn for a moment before it came.
      at.value = performance.now();
    });
    step.effects.forEach(carryOut);
  }

  function carryOut(effect: Effect): void {
    switch (effect) {
      case "join":
        join(socket, id, dispatch);
        return;
      case "join_later":
        joinLater.set();
        return;
      case "load_history":
        void loadHistory(id, dispatch);
        return;
      case "ask_health":
        void askHealth(dispatch);
        return;
    }
  }

  listen(socket, dispatch);
  socket.on("disconnect", joinLater.clear);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") dispatch({ kind: "page_shown" });
  });
  setInterval(() => {
    at.value = performance.now();
  }, REFRESH_MS);
  setInterval(() => {
    if (document.visibilityState === "visible") dispatch({ kind: "health_due" });
  }, HEALTH_AGAIN_MS);
  socket.connect();

  return {
    model,
    at,
    command: commander(id, dispatch),
    refuseSeconds: () => {
      dispatch({ kind: "bad_seconds" });
    },
  };
}

type GatewaySocket = Socket<FromGateway, ToGateway>;
type Dispatch = (event: Event) => void;

function connection(): GatewaySocket {
  // Websocket first: long polling needs every request to reach the same node.
  return io({ autoConnect: false, transports: ["websocket", "polling"], tryAllTransports: true });
}

function listen(socket: GatewaySocket, dispatch: Dispatch): void {
  socket.on("connect", () => {
    dispatch({ kind: "connected" });
  });
  socket.on("disconnect", (reason) => {
    dispatch({ kind: "disconnected" });
    // The library takes this one for a dismissal and would never come back.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), JOIN_AGAIN_MS);
  });
  socket.on("state", (state) => {
    dispatch({ kind: "state", state, at: performance.now() });
  });
  socket.on("clock", (clock) => {
    dispatch({ kind: "clock", clock, at: performance.now() });
  });
  socket.on("action", (action) => {
    dispatch({ kind: "action", action });
  });
}

function join(socket: GatewaySocket, id: string, dispatch: Dispatch): void {
  socket.timeout(JOIN_PATIENCE_MS).emit("join", id, (silence: Error | null, answer: JoinAck) => {
    // A broken connection is told by `disconnect`; the next one joins by itself.
    if (!socket.connected) return;
    if (silence !== null) dispatch({ kind: "join_unanswered" });
    else if (answer.ok) dispatch({ kind: "joined", system: answer.system, at: performance.now() });
    else dispatch({ kind: "join_refused", error: answer.error });
  });
}

async function loadHistory(id: string, dispatch: Dispatch): Promise<void> {
  try {
    dispatch({ kind: "history", actions: await gateway.history(id, ACTIONS_SHOWN) });
  } catch (failure) {
    dispatch({ kind: "history_failed", message: failure instanceof gateway.Refused ? failure.message : null });
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

function commander(id: string, dispatch: Dispatch): Session["command"] {
  let asks = 0;

  async function carry(ask: number, command: Command, seconds: number | null): Promise<void> {
    try {
      const answer = await gateway.send(id, command, seconds);
      dispatch({ kind: "answered", ask, command, answer, at: performance.now() });
    } catch (failure) {
      if (failure instanceof gateway.Refused) dispatch({ kind: "refused", ask, error: failure.refusal });
      else dispatch({ kind: "unanswered", ask, command });
    }
  }

  return (command, seconds) => {
    asks += 1;
    dispatch({ kind: "asked", ask: asks, command });
    void carry(asks, command, seconds ?? null);
  };
}

function laterOnce(then: () => void): { set: () => void; clear: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const clear = (): void => {
    clearTimeout(timer);
  };
  return {
    clear,
    set: () => {
      clear();
      timer = setTimeout(then, JOIN_AGAIN_MS);
    },
  };
}
