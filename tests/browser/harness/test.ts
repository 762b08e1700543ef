// The test of every spec: gateways, their stores, proxies and pages of other origins that end with it, whether it passes or fails.
// Never shares a gateway between tests: they run side by side.
import { test as base } from "@playwright/test";
import { Gateway, type Setup } from "./gateway.ts";
import { Original } from "./original.ts";
import { Proxy } from "./proxy.ts";
import { Redis } from "./redis.ts";

export { expect } from "@playwright/test";

interface Started {
  startRedis: () => Promise<Redis>;
  startGateway: (setup?: Setup) => Promise<Gateway>;
  startProxy: (gateway: Gateway) => Promise<Proxy>;
  /** Serves the original's page at an origin of its own. */
  serveOriginal: () => Promise<Original>;
}

export const test = base.extend<Started>({
  startRedis: async ({}, use) => {
    await ended(use, () => Redis.start());
  },
  startGateway: async ({}, use) => {
    await ended(use, (setup?: Setup) => Gateway.start(setup));
  },
  startProxy: async ({}, use) => {
    await ended(use, (gateway: Gateway) => Proxy.start(gateway.port));
  },
  serveOriginal: async ({}, use) => {
    await ended(use, () => Original.serve());
  },
});

/** Lends a way to start things, and ends all that were started. */
async function ended<A extends unknown[], T extends { end: () => Promise<void> }>(
  use: (start: (...setup: A) => Promise<T>) => Promise<void>,
  start: (...setup: A) => Promise<T>,
): Promise<void> {
  const started: T[] = [];
  await use(async (...setup) => {
    const one = await start(...setup);
    started.push(one);
    return one;
  });
  await Promise.all(started.map((one) => one.end()));
}
