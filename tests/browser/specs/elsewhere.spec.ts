// A browser whose clock shows another year and whose zone is another one: what is shown is the gateway's time, letter
// by letter. Never pretends inside the page: `new Date()` itself is wrong there.
import type { Browser, Page } from "@playwright/test";
import { countdownError, systemPage } from "../harness/console.ts";
import { launchElsewhere, YEARS_AHEAD, ZONE, ZONE_MINUTES } from "../harness/elsewhere.ts";
import { figure, ms } from "../harness/figures.ts";
import { expect, test } from "../harness/test.ts";

let browser: Browser;

test.beforeAll(async () => {
  browser = await launchElsewhere();
});

test.afterAll(async () => {
  await browser.close();
});

/** Every `now` that the page has heard of its system, as it was on the wire. */
function clocksOf(page: Page): string[] {
  const heard: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const now = /^42\["clock",.*"now":"([^"]+)"/.exec(String(payload))?.[1];
      if (now !== undefined) heard.push(now);
    });
  });
  return heard;
}

test("clock, start, end and history are the gateway's, verbatim, and the countdown is right", async ({
  startGateway,
}) => {
  const gateway = await startGateway();
  const page = await browser.newPage();
  const clocks = clocksOf(page);
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await gateway.command("north", "stop", { by: "Maria" });
  await gateway.command("north", "timer", { seconds: 600, by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Timer");

  const there = await page.evaluate(() => ({
    year: new Date().getFullYear(),
    minutes: -new Date().getTimezoneOffset(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  }));
  const { clock, state } = await gateway.system("north");
  const yearHere = Number(clock.now.slice(0, 4));
  expect(there.zone).toBe(ZONE);
  expect(there.minutes).toBe(ZONE_MINUTES);
  // On the last day of a year it is one more there.
  expect(there.year - yearHere).toBeGreaterThanOrEqual(YEARS_AHEAD);
  figure("year of the browser, year shown", `${there.year}, ${(await north.date.textContent()) ?? ""}`);

  const heard = clocks.length;
  await expect
    .poll(async () => {
      const shown = `${(await north.date.textContent()) ?? ""}T${(await north.time.textContent()) ?? ""}`;
      return clocks.length > heard + 2 && shown === clocks.at(-1);
    })
    .toBe(true);

  const timeOf = (written: string | null): string => written?.slice(11, 19) ?? "?";
  const run = page.locator(".run");
  await expect(run).toContainText(timeOf(state.start));
  await expect(run).toContainText(timeOf(state.end));
  const [row] = await gateway.history("north");
  await expect(north.rows.first()).toContainText(row?.start.slice(0, 10) ?? "?");
  await expect(north.rows.first()).toContainText(timeOf(row?.start ?? null));

  const error = await countdownError(page, "north");
  figure("countdown behind the gateway, seven years ahead", ms(error));
  expect(Math.abs(error)).toBeLessThanOrEqual(1000);
  await page.close();
});

test("what runs is on the timeline, and now lies where it belongs", async ({ startGateway }) => {
  const gateway = await startGateway();
  const page = await browser.newPage();
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  const now = page.locator("svg.timeline .timeline-now");
  const block = page.locator("svg.timeline .timeline-block");
  await expect(block).toHaveCount(1);
  // A run of this moment ends at the line that says now.
  const right = (element: Element): number => element.getBoundingClientRect().right;
  expect(Math.abs((await now.evaluate(right)) - (await block.evaluate(right)))).toBeLessThanOrEqual(4);
  await page.close();
});
