// A browser whose tabs can be put to sleep, as browsers do with those that nobody looks at: a frozen tab runs nothing
// until it is woken. Playwright's own pages always seem to be looked at, so that nothing freezes them: these are in the
// window that the browser opens by itself. Never closes a connection of a tab: that is the browser's business.
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { chromium, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { CHROMIUM, isRoot } from "./chromium.ts";

export class SleepyBrowser {
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #seen: Browser;

  private constructor(browser: Browser, seen: Browser, context: BrowserContext) {
    this.#browser = browser;
    this.#seen = seen;
    this.context = context;
  }

  static async launch(): Promise<SleepyBrowser> {
    const port = await freePort();
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      chromiumSandbox: !isRoot,
      args: [`--remote-debugging-port=${port}`],
    });
    const seen = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
    const [context] = seen.contexts();
    if (context === undefined) throw new Error("the browser has no window of its own");
    return new SleepyBrowser(browser, seen, context);
  }

  async end(): Promise<void> {
    await this.#seen.close();
    await this.#browser.close();
  }
}

export async function freeze(page: Page): Promise<void> {
  await setLifecycle(page, "frozen");
}

/** It runs again and is looked at. */
export async function wake(page: Page): Promise<void> {
  await setLifecycle(page, "active");
  await page.bringToFront();
}

async function setLifecycle(page: Page, state: "frozen" | "active"): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state });
  await session.detach();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
