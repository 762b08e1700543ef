// How the browser tests run: Debian's Chromium, two at a time, no second try. Nothing is downloaded: Playwright drives the
// browser that is installed.
import { defineConfig } from "@playwright/test";
import { CHROMIUM, isRoot } from "./harness/chromium.ts";

export default defineConfig({
  testDir: "specs",
  outputDir: "../../target/browser",
  fullyParallel: true,
  workers: 2,
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
