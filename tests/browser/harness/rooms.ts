// Which rooms a page is in, as it says so on the wire itself. Never asks the gateway.
import type { Page } from "@playwright/test";

export class Rooms {
  /** Joined and not left. */
  readonly joined = new Set<string>();
  /** The most at once. */
  most = 0;

  /** To be called before the page is opened. */
  constructor(page: Page) {
    page.on("websocket", (socket) => {
      this.joined.clear();
      socket.on("framesent", ({ payload }) => {
        const [, event, id] = /^42\d*\["(join|leave)","([^"]+)"/.exec(String(payload)) ?? [];
        if (event === "join" && id !== undefined) this.joined.add(id);
        if (event === "leave" && id !== undefined) this.joined.delete(id);
        this.most = Math.max(this.most, this.joined.size);
      });
    });
  }
}
