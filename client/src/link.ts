// The Socket.IO connection: what it hears becomes events, joins and leaves go out over it.
// Never decides when to join or to give up (model.ts).
import { io, type Socket } from "socket.io-client";
import type { Event } from "./events";
import type { Action, Clock, JoinAck, State } from "./wire";

const ACK_PATIENCE_MS = 5000;
const CONNECT_PATIENCE_MS = 5000;
const CONNECT_AGAIN_MS = 500;
const CONNECT_AGAIN_AT_MOST_MS = 3000;

interface FromGateway {
  state: (state: State) => void;
  clock: (clock: Clock) => void;
  action: (action: Action) => void;
}

interface ToGateway {
  join: (id: string, ack: (answer: JoinAck) => void) => void;
  leave: (id: string) => void;
}

export class Link {
  readonly #socket: Socket<FromGateway, ToGateway>;
  readonly #dispatch: (event: Event) => void;

  constructor(dispatch: (event: Event) => void) {
    this.#dispatch = dispatch;
    this.#socket = io({
      autoConnect: false,
      // Websocket first: long polling needs every request to reach the same node.
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: CONNECT_PATIENCE_MS,
      reconnectionDelay: CONNECT_AGAIN_MS,
      reconnectionDelayMax: CONNECT_AGAIN_AT_MOST_MS,
    });
    this.#listen();
  }

  connect(): void {
    this.#socket.connect();
  }

  /** Gives up the connection that there is, or the waiting for the next one, and connects at once. */
  reconnect(): void {
    this.#socket.disconnect().connect();
  }

  join(id: string): void {
    const socket = this.#socket;
    const { id: session } = socket;
    socket.timeout(ACK_PATIENCE_MS).emit("join", id, (silence: Error | null, answer: JoinAck) => {
      // A broken connection is told by `disconnect`; the next one joins by itself.
      if (!socket.connected || socket.id !== session) return;
      const at = performance.now();
      if (silence !== null) this.#dispatch({ kind: "join_unanswered", id });
      else if (answer.ok) this.#dispatch({ kind: "joined", system: answer.system, at });
      else this.#dispatch({ kind: "join_refused", id, error: answer.error, at });
    });
  }

  leave(id: string): void {
    if (this.#socket.connected) this.#socket.emit("leave", id);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("connect", () => {
      this.#dispatch({ kind: "connected", at: performance.now() });
    });
    socket.on("disconnect", (reason) => {
      this.#dispatch({ kind: "disconnected" });
      // The library takes this one for a dismissal and would never come back.
      if (reason === "io server disconnect") setTimeout(() => socket.connect(), CONNECT_AGAIN_AT_MOST_MS);
    });
    socket.on("state", (state) => {
      this.#dispatch({ kind: "state", state, at: performance.now() });
    });
    socket.on("clock", (clock) => {
      this.#dispatch({ kind: "clock", clock, at: performance.now() });
    });
    socket.on("action", (action) => {
      this.#dispatch({ kind: "action", action });
    });
  }
}
