// A tab that slept for a minute while the water went on. Never shortens the minute: it is the only time that these
// tests wait for, whatever is to be seen.
import { setTimeout as pass } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { countdownError, isMarked, markDocument, systemPage } from "../harness/console.ts";
import { figure, ms } from "../harness/figures.ts";
import { freeze, SleepyBrowser, wake } from "../harness/sleep.ts";
import { expect, test } from "../harness/test.ts";

const MINUTE_MS = 60_000;

/** Counts in the page, for as long as anything runs in it. */
async function count(page: Page): Promise<void> {
  await page.evaluate(() => {
    const counter = { count: 0 };
    Object.assign(window, { counter });
    setInterval(() => (counter.count += 1), 100);
  });
}

function counted(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { counter: { count: number } }).counter.count);
}

let browser: SleepyBrowser;

test.beforeAll(async () => {
  browser = await SleepyBrowser.launch();
});

test.afterAll(async () => {
  await browser.end();
});

test("a tab that slept for a minute shows the right state and countdown when it wakes", async ({ startGateway }) => {
  test.setTimeout(2 * MINUTE_MS);
  const gateway = await startGateway();
  // Of the first, nothing is changed meanwhile; of the second, everything.
  const [steady, changing] = [await browser.context.newPage(), await browser.context.newPage()];
  await gateway.command("north", "timer", { seconds: 600, by: "Maria" });
  await gateway.command("orchard", "timer", { seconds: 1200, by: "Maria" });
  await steady.goto(`${gateway.url}/console/north`);
  await changing.goto(`${gateway.url}/console/orchard`);
  const pages = [steady, changing];
  for (const page of pages) {
    await expect(systemPage(page).mode).toHaveText("Timer");
    await markDocument(page);
    await count(page);
  }

  await Promise.all(pages.map(freeze));
  const before = await Promise.all(pages.map(counted));
  await gateway.command("orchard", "stop", { by: "Jo" });
  await gateway.command("orchard", "manual", { by: "Jo" });
  await gateway.command("orchard", "stop", { by: "Jo" });
  await gateway.command("orchard", "timer", { seconds: 300, by: "Jo" });
  await pass(MINUTE_MS);
  expect(await Promise.all(pages.map(counted)), "nothing runs in a tab that sleeps").toEqual(before);

  for (const [page, id] of [
    [steady, "north"],
    [changing, "orchard"],
  ] as const) {
    await wake(page);
    const shown = systemPage(page);
    await expect(shown.link).toHaveAttribute("data-freshness", "live");
    await expect(shown.mode).toHaveText("Timer");
    await expect(page.locator(".run")).toContainText(id === "north" ? "Maria" : "Jo");
    await expect(shown.rows).toHaveCount(id === "north" ? 0 : 2);
    const error = await countdownError(page, id);
    figure(`countdown of ${id} behind the gateway after a minute asleep`, ms(error));
    expect(Math.abs(error)).toBeLessThanOrEqual(1000);
    expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
  }
});
