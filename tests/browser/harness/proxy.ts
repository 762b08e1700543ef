// A network that can fail: TCP from the browser to the gateway, which can be slow, or cut without a word. Never closes
// a connection because of a cut: what a broken cable does is silence.
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

const HOST = "127.0.0.1";

export class Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #heard: Heard[] = [];
  #cut = false;
  #delayMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(gatewayPort: number): Promise<Proxy> {
    // Who has said all may still be answered.
    const server = createServer({ allowHalfOpen: true });
    const proxy = new Proxy(server);
    server.on("connection", (near) => {
      proxy.#accept(near, gatewayPort);
    });
    server.listen(0, HOST);
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://${HOST}:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * From now on everything is lost, in both directions, and all stays open. New connections are accepted and stay
   * silent. What was open during a cut is never heard of again, as behind a router that was replaced.
   */
  cut(): void {
    this.#cut = true;
    for (const link of this.#links) link.isDead = true;
  }

  /** New connections pass again. */
  heal(): void {
    this.#cut = false;
  }

  /** In each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** What has passed, one entry for each connection, as it was on the wire. */
  get heard(): readonly Readonly<Heard>[] {
    return this.#heard;
  }

  async end(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const { near, far } of this.#links) {
      near.destroy();
      far?.destroy();
    }
    await closed;
  }

  #accept(near: Socket, gatewayPort: number): void {
    const far = this.#cut ? null : connect({ host: HOST, port: gatewayPort, allowHalfOpen: true });
    const link: Link = { near, far, isDead: this.#cut };
    this.#links.add(link);
    if (far === null) {
      drain(near);
      return;
    }
    const heard: Heard = { asked: "", answered: "" };
    this.#heard.push(heard);
    this.#carry(link, near, far, (text) => (heard.asked += text));
    this.#carry(link, far, near, (text) => (heard.answered += text));
  }

  #carry(link: Link, from: Socket, to: Socket, hear: (text: string) => void): void {
    const later = inOrder(() => this.#delayMs);
    const unlessDead = (then: () => void): void => {
      if (!link.isDead) later(() => link.isDead || then());
    };
    from.on("data", (bytes) => {
      unlessDead(() => {
        hear(bytes.toString("latin1"));
        to.write(bytes);
      });
    });
    from.on("end", () => {
      unlessDead(() => to.end());
    });
    // A reset, or nobody at the other end: it is passed on like an end.
    from.on("error", () => undefined);
    from.on("close", () => {
      unlessDead(() => to.destroy());
      if (link.near.destroyed) this.#links.delete(link);
    });
  }
}

interface Link {
  readonly near: Socket;
  /** Null where the browser called during a cut. */
  readonly far: Socket | null;
  isDead: boolean;
}

interface Heard {
  asked: string;
  answered: string;
}

function drain(socket: Socket): void {
  socket.on("data", () => undefined);
  socket.on("error", () => undefined);
}

/** Does things later, each after those before it, however the delay changes. */
function inOrder(delayMs: () => number): (what: () => void) => void {
  let lastDue = 0;
  return (what) => {
    const now = performance.now();
    lastDue = Math.max(lastDue, now + delayMs());
    if (lastDue <= now) what();
    else setTimeout(what, lastDue - now);
  };
}
