// A web server that knows nothing but the original's page: another origin than the gateway's. Never speaks to a
// gateway.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const PAGE = join(import.meta.dirname, "../original/index.html");

export class Original {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async serve(): Promise<Original> {
    const page = await readFile(PAGE);
    const server = createServer((request, response) => {
      const isPage = request.url?.split("?")[0] === "/";
      response.writeHead(isPage ? 200 : 404, { "Content-Type": "text/html; charset=utf-8" });
      response.end(isPage ? page : "");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Original(server);
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The page, which takes the address of its server from the query. */
  pageFor(gateway: { url: string }): string {
    return `${this.origin}/?server=${new URL(gateway.url).host}`;
  }

  async end(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
