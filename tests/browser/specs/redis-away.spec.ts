// Redis hangs under a gateway that lives: the page goes on telling the time, says that it does not know and why, starts
// nothing, still stops, and is live again by itself. Never reloads the page: a mark in it proves that.
import type { Page } from "@playwright/test";
import { violationsOf } from "../harness/axe.ts";
import { countdownError, isMarked, markDocument, overview, systemPage } from "../harness/console.ts";
import { figure, ms } from "../harness/figures.ts";
import { expect, test } from "../harness/test.ts";

const WHY = "The gateway answers, but does not reach its database";

async function isLate(page: Page): Promise<void> {
  const { link } = systemPage(page);
  await expect(link).toHaveAttribute("data-freshness", "late");
  await expect(link).toContainText(/State of \d+ s ago/);
  await expect(link).toContainText(WHY);
}

/** Ten seconds after the store was last heard. */
async function isUnknown(page: Page): Promise<void> {
  const { link } = systemPage(page);
  await expect(link).toHaveAttribute("data-freshness", "unknown", { timeout: 15_000 });
  await expect(link).toContainText(/State unknown since \d\d:\d\d:\d\d/);
  await expect(link).toContainText(WHY);
}

async function isLive(page: Page): Promise<void> {
  const began = performance.now();
  await expect(systemPage(page).link).toHaveAttribute("data-freshness", "live");
  figure("live again after Redis is back", ms(performance.now() - began));
}

/** It tells the time, and another one a second later. */
async function clockGoesOn(page: Page): Promise<void> {
  const { time } = systemPage(page);
  const before = await time.textContent();
  await expect(time, "the gateway lives").not.toHaveText(before ?? "");
}

test("the page says so, starts nothing, and is live again without a reload", async ({ page, startRedis, startGateway }) => {
  const redis = await startRedis();
  const gateway = await startGateway({ store: redis.url });
  const north = systemPage(page);
  await gateway.command("north", "timer", { seconds: 600, by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Timer");
  await expect(north.link).toHaveAttribute("data-freshness", "live");
  await expect(north.manual).toBeEnabled();
  await markDocument(page);
  const placeOfStop = await north.stop.boundingBox();

  redis.freeze();
  await isLate(page);
  await expect(north.link).not.toContainText("Live");
  await expect(north.manual, "every start would be refused").toBeDisabled();
  await expect(north.timer).toBeDisabled();
  await expect(north.stop).toBeEnabled();
  expect(await violationsOf(page, ".link")).toEqual([]);
  await clockGoesOn(page);

  await isUnknown(page);
  expect(await north.stop.boundingBox(), "STOP stays under the finger").toEqual(placeOfStop);
  await expect(north.manual).toBeDisabled();
  await expect(north.stop).toBeEnabled();
  const since = /since ([\d:]{8})/.exec((await north.link.textContent()) ?? "")?.[1];
  await clockGoesOn(page);
  await expect(north.link, "since when it is not known does not move").toContainText(`since ${since ?? "?"}`);
  expect(await north.time.textContent()).not.toBe(since);

  redis.thaw();
  await isLive(page);
  await expect(north.mode).toHaveText("Timer");
  await expect(north.manual).toBeEnabled();
  await expect(north.timer).toBeEnabled();
  expect(Math.abs(await countdownError(page, "north"))).toBeLessThanOrEqual(1000);
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a timer that ends meanwhile is over, and in the history, when Redis is back", async ({
  page,
  startRedis,
  startGateway,
}) => {
  const redis = await startRedis();
  const gateway = await startGateway({ store: redis.url });
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  await markDocument(page);
  await gateway.command("north", "timer", { seconds: 4, by: "Maria" });
  await expect(north.mode).toHaveText("Timer");

  redis.freeze();
  await isLate(page);
  await expect(north.figure).toHaveText("0:00");
  redis.thaw();
  await isLive(page);
  await expect(north.mode).toHaveText("Waiting");
  await expect(north.rows).toHaveCount(1);
  await expect(north.rows.first()).toContainText("completed");
  await expect(north.manual).toBeEnabled();
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a stop that is pressed meanwhile is sent again until it is confirmed", async ({ page, startRedis, startGateway }) => {
  const redis = await startRedis();
  const gateway = await startGateway({ store: redis.url });
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Manual");

  redis.freeze();
  await isLate(page);
  await north.stop.click();
  await expect(north.outcome).toContainText(/sent/i);
  await expect(north.outcome).toContainText(/\(\d+ times\)/);
  await expect(north.outcome).not.toContainText("Confirmed");
  await expect(north.mode, "nobody has said that the water has stopped").toHaveText("Manual");

  redis.thaw();
  await expect(north.outcome).toContainText("Confirmed");
  await expect(north.mode).toHaveText("Waiting");
  await isLive(page);
  expect((await gateway.history("north")).map(({ outcome, ended_by }) => [outcome, ended_by])).toEqual([
    ["stopped", "console"],
  ]);
});

test("the overview says so for every system, and a page that is opened meanwhile does, too", async ({
  page,
  context,
  startRedis,
  startGateway,
}) => {
  const redis = await startRedis();
  const gateway = await startGateway({ store: redis.url });
  await gateway.command("orchard", "manual", { by: "Maria" });
  const all = overview(page);
  await page.goto(gateway.url);
  await expect(all.running).toHaveCount(1);
  await expect(all.waiting).toHaveCount(2);

  redis.freeze();
  await isLate(page);
  for (const name of ["North field", "Orchard", "Greenhouse"]) {
    await expect(all.card(name)).toContainText(/State of \d+ s ago|State unknown since/);
  }
  await isUnknown(page);
  await expect(all.summary).toContainText("Last known state: 1 of 3 systems running");
  await expect(all.card("Orchard")).toContainText(/State unknown since \d\d:\d\d:\d\d/);
  const late = await context.newPage();
  await late.goto(`${gateway.url}/console/orchard`);
  await isUnknown(late);
  await expect(systemPage(late).mode, "what was known last").toHaveText("Manual");
  await expect(systemPage(late).timer).toBeDisabled();
  expect(await violationsOf(late)).toEqual([]);

  redis.thaw();
  await isLive(page);
  await isLive(late);
  await expect(all.card("Orchard")).not.toContainText("State");
  await expect(systemPage(late).timer).toBeEnabled();
});
