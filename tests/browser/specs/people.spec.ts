// Several people and several tabs: all see the same system at once, and none sees another one. Never more than what a
// person does on the page.
import type { Page } from "@playwright/test";
import { countdownError, systemPage } from "../harness/console.ts";
import { figure, ms } from "../harness/figures.ts";
import { expect, test } from "../harness/test.ts";

/** Notes when a person clicks, on the clock that all pages of a machine share. */
async function noteClicks(page: Page): Promise<void> {
  await page.evaluate(() => {
    addEventListener("click", () => Object.assign(window, { clickedAt: performance.timeOrigin + performance.now() }), {
      capture: true,
    });
  });
}

/** Notes when the mode is shown anew. */
async function noteModes(page: Page): Promise<void> {
  await page.evaluate(() => {
    const region = document.querySelector("[aria-live]:has(.state-mode)");
    if (region === null) throw new Error("no live region holds the mode");
    let shown = region.querySelector(".state-mode")?.textContent;
    new MutationObserver(() => {
      const mode = region.querySelector(".state-mode")?.textContent;
      if (mode === shown) return;
      shown = mode;
      Object.assign(window, { shownAt: performance.timeOrigin + performance.now() });
    }).observe(region, { childList: true, characterData: true, subtree: true });
  });
}

function noted(page: Page, name: "clickedAt" | "shownAt"): Promise<number> {
  return page.evaluate((key) => (window as unknown as Record<string, number>)[key] ?? NaN, name);
}

test("a click of one person is seen by another within half a second", async ({ browser, startGateway }) => {
  const gateway = await startGateway();
  const [first, second] = [await browser.newContext(), await browser.newContext()];
  const [clicking, watching] = [await first.newPage(), await second.newPage()];
  for (const page of [clicking, watching]) {
    await page.goto(`${gateway.url}/console/north`);
    await expect(systemPage(page).mode).toHaveText("Waiting");
  }
  await noteClicks(clicking);
  await noteModes(watching);

  const { manual, stop, timer } = systemPage(clicking);
  const steps = [
    { button: timer, mode: "Timer" },
    { button: manual, mode: "Manual" },
    { button: stop, mode: "Waiting" },
  ];
  const took: number[] = [];
  for (const { button, mode } of [...steps, ...steps, ...steps]) {
    await button.click();
    await expect(systemPage(watching).mode).toHaveText(mode);
    took.push((await noted(watching, "shownAt")) - (await noted(clicking, "clickedAt")));
  }
  const sorted = took.toSorted((a, b) => a - b);
  const [fastest = NaN, median = NaN, slowest = NaN] = [sorted[0], sorted[4], sorted[8]];
  figure("from the click to the other page", `median ${ms(median)}, slowest ${ms(slowest)}`);
  expect(fastest).toBeGreaterThan(0);
  // Of the slowest the machine, which does other things besides, has its share.
  expect(median).toBeLessThan(500);
  await Promise.all([first.close(), second.close()]);
});

test("a slow network delays what is seen and nothing else", async ({ page, startGateway, startProxy }) => {
  const gateway = await startGateway();
  const proxy = await startProxy(gateway);
  const north = systemPage(page);
  await page.goto(`${proxy.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  proxy.delay(300);
  await north.preset("5 min").click();
  await north.timer.click();
  await expect(north.mode).toHaveText("Timer");
  await expect(north.link).toHaveAttribute("data-freshness", "live");
  const error = await countdownError(page, "north");
  figure("countdown behind the gateway, with 300 ms each way", ms(error));
  expect(Math.abs(error)).toBeLessThanOrEqual(1000);
});

test("two systems in two tabs do not mix", async ({ context, startGateway }) => {
  const gateway = await startGateway();
  const [north, orchard] = [await context.newPage(), await context.newPage()];
  await north.goto(`${gateway.url}/console/north`);
  await orchard.goto(`${gateway.url}/console/orchard`);
  await expect(systemPage(north).name).toHaveText("North field");
  await expect(systemPage(orchard).name).toHaveText("Orchard");
  await expect(north).toHaveTitle(/North field/);
  await expect(orchard).toHaveTitle(/Orchard/);

  await systemPage(north).manual.click();
  await expect(systemPage(north).mode).toHaveText("Manual");
  await systemPage(orchard).preset("15 min").click();
  await systemPage(orchard).timer.click();
  await expect(systemPage(orchard).mode).toHaveText("Timer");
  await expect(systemPage(north).mode).toHaveText("Manual");
  // What a tab remembers of one system is not what another system begins with.
  await expect(systemPage(north).preset("15 min")).toHaveAttribute("aria-pressed", "false");

  await systemPage(north).stop.click();
  await expect(systemPage(north).mode).toHaveText("Waiting");
  await expect(systemPage(north).rows).toHaveCount(1);
  await expect(systemPage(orchard).mode).toHaveText("Timer");
  await expect(systemPage(orchard).rows).toHaveCount(0);

  const modes = await Promise.all(["north", "orchard", "greenhouse"].map((id) => gateway.state(id)));
  expect(modes.map(({ mode }) => mode)).toEqual(["wait", "timer", "wait"]);
  expect(await countdownError(orchard, "orchard")).toBeLessThanOrEqual(1000);
});
