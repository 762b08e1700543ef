// The console without a mouse or a finger: all that can be pressed is reached with Tab, is seen to be reached, and
// works. Never clicks.
import type { Page } from "@playwright/test";
import { overview, systemPage } from "../harness/console.ts";
import { expect, test } from "../harness/test.ts";

interface Stop {
  what: string;
  hasRing: boolean;
  isInSight: boolean;
}

/** What has the focus, and whether a person can see that it has. */
function focused(page: Page): Promise<Stop | null> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return null;
    const style = getComputedStyle(element);
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const points = [0.1, 0.5, 0.9].map((part) => [left + part * (right - left), top + part * (bottom - top)] as const);
    const label = element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent;
    return {
      what: `${element.localName} ${label?.trim() ?? ""}`,
      hasRing: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
      isInSight: points.every(([x, y]) => element.contains(document.elementFromPoint(x, y))),
    };
  });
}

/** All that Tab reaches, from the top of the page until it has been everywhere. */
async function tabThrough(page: Page): Promise<Stop[]> {
  await page.evaluate(() => {
    (document.activeElement as HTMLElement | null)?.blur();
    getSelection()?.setPosition(document.body, 0);
  });
  const stops: Stop[] = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const stop = await focused(page);
    if (stop === null || stop.what === stops[0]?.what) return stops;
    stops.push(stop);
  }
}

function controlsOf(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      [...document.querySelectorAll("a[href], button:enabled, input:enabled, select:enabled")].filter((each) =>
        each.checkVisibility(),
      ).length,
  );
}

async function isAllReached(page: Page): Promise<void> {
  const stops = await tabThrough(page);
  expect(stops).toHaveLength(await controlsOf(page));
  expect(stops.filter(({ hasRing }) => !hasRing)).toEqual([]);
  expect(stops.filter(({ isInSight }) => !isInSight)).toEqual([]);
}

/** Presses Tab until something of that name has the focus. */
async function tabTo(page: Page, what: RegExp): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    if (what.test((await focused(page))?.what ?? "")) return;
  }
  throw new Error(`Tab does not reach ${String(what)}`);
}

test("all that can be pressed is reached with Tab, and is seen to be", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  for (let runs = 0; runs < 12; runs += 1) {
    await gateway.command("north", "manual", { by: "Maria" });
    await gateway.command("north", "stop", { by: "Maria" });
  }
  await gateway.command("north", "timer", { seconds: 600, by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(systemPage(page).rows).toHaveCount(10);
  await isAllReached(page);

  // On a low screen STOP lies over the page: what has the focus must not be under it.
  await page.setViewportSize({ width: 390, height: 700 });
  await isAllReached(page);

  await page.goto(gateway.url);
  await expect(overview(page).card("North field")).toContainText("Timer");
  await isAllReached(page);
});

test("from the overview to a run and its end without leaving the keys", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  await page.goto(gateway.url);
  await expect(overview(page).card("North field")).toBeVisible();
  await tabTo(page, /North field/);
  await page.keyboard.press("Enter");
  const north = systemPage(page);
  await expect(north.mode).toHaveText("Waiting");

  await tabTo(page, /^button 5 min$/);
  await page.keyboard.press("Space");
  await expect(north.preset("5 min")).toHaveAttribute("aria-pressed", "true");
  await tabTo(page, /^button Start timer/);
  await page.keyboard.press("Enter");
  await expect(north.mode).toHaveText("Timer");
  expect((await gateway.state("north")).remaining_ms).toBeGreaterThan(290_000);
  await page.keyboard.press("s");
  await expect(north.mode).toHaveText("Waiting");

  await tabTo(page, /^button Start manual/);
  await page.keyboard.press("Space");
  await expect(north.mode).toHaveText("Manual");
  await page.keyboard.press("Escape");
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.history("north")).map(({ mode, outcome }) => [mode, outcome])).toEqual([
    ["manual", "stopped"],
    ["timer", "stopped"],
  ]);
});

test("S and Esc stop while a length is being typed, and are not typed", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  await tabTo(page, /^input/);
  await page.keyboard.type("2");
  for (const key of ["s", "S", "Escape"]) {
    await gateway.command("north", "manual", { by: "Maria" });
    await expect(north.mode).toHaveText("Manual");
    await page.keyboard.press(key);
    await expect(north.mode).toHaveText("Waiting");
    await expect(north.outcome).toContainText("Confirmed");
    await expect(page.locator("input:focus")).toHaveValue("2");
  }
  expect((await gateway.history("north")).map(({ ended_by }) => ended_by)).toEqual(["console", "console", "console"]);
});

test("a length is typed and started with Enter", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  await tabTo(page, /^input Minutes/);
  await page.keyboard.type("2");
  await tabTo(page, /^input Seconds/);
  await page.keyboard.type("30");
  await page.keyboard.press("Enter");
  await expect(north.mode).toHaveText("Timer");
  const { elapsed_ms, remaining_ms } = await gateway.state("north");
  expect((elapsed_ms ?? 0) + (remaining_ms ?? 0)).toBe(150_000);
});

test("stop all asks once, and Escape and Cancel leave everything as it was", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  await gateway.command("north", "manual", { by: "Maria" });
  await gateway.command("orchard", "timer", { seconds: 600, by: "Maria" });
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(list.running).toHaveCount(2);

  const ask = async (): Promise<void> => {
    await tabTo(page, /^button Stop all$/);
    await page.keyboard.press("Enter");
    await expect(list.question).toBeVisible();
  };
  await ask();
  await page.keyboard.press("Escape");
  await expect(list.question).toBeHidden();
  await expect(list.stopAll).toBeFocused();

  await ask();
  // What leaves all as it is has the focus at first: Enter alone stops nothing.
  await expect(list.cancel).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(list.question).toBeHidden();
  await expect(list.running).toHaveCount(2);
  const untouched = await Promise.all(["north", "orchard", "greenhouse"].map((id) => gateway.state(id)));
  expect(untouched.map(({ seq }) => seq)).toEqual([1, 1, 0]);

  await ask();
  await tabTo(page, /^button Stop all$/);
  await page.keyboard.press("Enter");
  await expect(list.question).toBeHidden();
  await expect(list.waiting).toHaveCount(3);
  const stopped = await Promise.all(["north", "orchard"].map((id) => gateway.history(id)));
  expect(stopped.map(([run]) => run?.outcome)).toEqual(["stopped", "stopped"]);
});
