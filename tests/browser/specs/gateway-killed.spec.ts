// The gateway is killed under an open page and started again: the page says how old its news is, starts nothing, still
// stops, and is live again by itself. Never reloads the page: a mark in it proves that.
import type { Page } from "@playwright/test";
import { countdownError, isMarked, markDocument, systemPage } from "../harness/console.ts";
import { figure, ms } from "../harness/figures.ts";
import { expect, test } from "../harness/test.ts";

async function isLate(page: Page): Promise<void> {
  const { link } = systemPage(page);
  await expect(link).toHaveAttribute("data-freshness", "late");
  await expect(link).toContainText(/No news for \d+ s/);
}

/** Ten seconds after the last news. */
async function isUnknown(page: Page): Promise<void> {
  const { link } = systemPage(page);
  await expect(link).toHaveAttribute("data-freshness", "unknown", { timeout: 15_000 });
  await expect(link).toContainText(/State unknown since \d\d:\d\d:\d\d/);
}

async function isLive(page: Page): Promise<void> {
  const began = performance.now();
  await expect(systemPage(page).link).toHaveAttribute("data-freshness", "live");
  figure("live again after the restart", ms(performance.now() - began));
}

test("the page says so, starts nothing, and is live again without a reload", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await gateway.command("north", "timer", { seconds: 600, by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Timer");
  await expect(north.manual).toBeEnabled();
  await markDocument(page);
  const placeOfStop = await north.stop.boundingBox();

  await gateway.kill();
  await isLate(page);
  await isUnknown(page);
  expect(await north.stop.boundingBox(), "STOP stays under the finger").toEqual(placeOfStop);
  // What it says is when it heard last, as the gateway wrote it.
  await expect(north.link).toContainText(`State unknown since ${(await north.time.textContent()) ?? "?"}`);
  await expect(north.manual).toBeDisabled();
  await expect(north.timer).toBeDisabled();
  await expect(north.stop).toBeEnabled();

  await gateway.restart();
  await isLive(page);
  await expect(north.mode).toHaveText("Timer");
  await expect(north.manual).toBeEnabled();
  await expect(north.timer).toBeEnabled();
  const error = await countdownError(page, "north");
  figure("countdown behind the gateway after the restart", ms(error));
  expect(Math.abs(error)).toBeLessThanOrEqual(1000);
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a timer that ends while the gateway is down is over, and in the history, when it is back", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  await expect(north.rows).toHaveCount(0);
  await markDocument(page);
  await gateway.command("north", "timer", { seconds: 4, by: "Maria" });
  await expect(north.mode).toHaveText("Timer");

  await gateway.kill();
  await isLate(page);
  await expect(north.figure).toHaveText("0:00");
  await expect(north.mode, "nobody has said that the water has stopped").toHaveText("Timer");

  await gateway.restart();
  await isLive(page);
  await expect(north.mode).toHaveText("Waiting");
  await expect(north.rows).toHaveCount(1);
  await expect(north.rows.first()).toContainText("completed");
  await expect(north.rows.first()).toContainText("Maria");
  expect((await gateway.history("north")).map(({ duration_ms }) => duration_ms)).toEqual([4000]);
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a stop that is pressed while the gateway is down is sent again until it is confirmed", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Manual");
  await markDocument(page);

  await gateway.kill();
  await isLate(page);
  await north.stop.click();
  await expect(north.outcome).toContainText(/sent/i);
  await expect(north.outcome).toContainText(/\([3-9] times\)/);
  await expect(north.outcome).not.toContainText("Confirmed");
  await expect(north.mode).toHaveText("Manual");

  await gateway.restart();
  await expect(north.outcome).toContainText("Confirmed");
  await expect(north.mode).toHaveText("Waiting");
  await isLive(page);
  expect((await gateway.state("north")).mode).toBe("wait");
  const [run, ...others] = await gateway.history("north");
  expect(others).toEqual([]);
  expect(run).toMatchObject({ mode: "manual", outcome: "stopped", by: "Maria", ended_by: "console" });
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a gateway that hangs is told from one that works, and recognised when it goes on", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Manual");
  await markDocument(page);

  gateway.freeze();
  await isLate(page);
  // What is said in the meantime waits at the gateway: it is carried out when it goes on.
  await north.stop.click();
  await expect(north.outcome).toContainText(/sent/i);
  gateway.thaw();
  await isLive(page);
  await expect(north.outcome).toContainText("Confirmed");
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.history("north")).map(({ outcome }) => outcome)).toEqual(["stopped"]);
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});
