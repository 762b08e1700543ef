// How the browser tests run: Debian's Chromium, a few at a time, no second try. Nothing is downloaded: Playwright
// drives the browser that is installed.
import { defineConfig } from "@playwright/test";
import { CHROMIUM, isRoot } from "./harness/chromium.ts";

/** What waits for most of its time, until a page is red or a minute is over: it costs those that work nothing. */
const WAITING = [
  "**/asleep.spec.ts",
  "**/gateway-killed.spec.ts",
  "**/network-cut.spec.ts",
  "**/redis-away.spec.ts",
  "**/screenshots.spec.ts",
];

export default defineConfig({
  testDir: "specs",
  outputDir: "../../target/browser",
  fullyParallel: true,
  workers: 4,
  projects: [
    { name: "waiting", testMatch: WAITING, workers: 2 },
    { name: "working", testIgnore: WAITING, workers: 2 },
  ],
  retries: 0,
  forbidOnly: true,
  timeout: 60_000,
  // Nothing in a test takes this long unless it says so: who waits longer waits for something that does not come.
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  use: {
    locale: "en-GB",
    colorScheme: "light",
    viewport: { width: 1280, height: 900 },
    screenshot: "only-on-failure",
    launchOptions: { executablePath: CHROMIUM, chromiumSandbox: !isRoot },
  },
});
