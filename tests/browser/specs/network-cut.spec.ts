// The network is gone without a word: nothing is closed, nothing comes. Never lets a connection from before the cut
// live on: only one that is made afterwards is heard.
import type { Page } from "@playwright/test";
import { countdownError, isMarked, markDocument, systemPage } from "../harness/console.ts";
import { figure, ms } from "../harness/figures.ts";
import { expect, test } from "../harness/test.ts";

/** When the page showed each level for the first time from now on, in milliseconds from now. */
async function noteLevels(page: Page): Promise<(level: string) => Promise<number>> {
  await page.evaluate(() => {
    const began = performance.now();
    const moments: Record<string, number> = {};
    Object.assign(window, { moments });
    const link = document.querySelector<HTMLElement>(".link");
    if (link === null) throw new Error("nothing says how far the page can be trusted");
    new MutationObserver(() => {
      moments[link.dataset["freshness"] ?? ""] ??= performance.now() - began;
    }).observe(link, { attributeFilter: ["data-freshness"] });
  });
  return (level) =>
    page.evaluate((key) => (window as unknown as { moments: Record<string, number> }).moments[key] ?? NaN, level);
}

test("silence is noticed within seconds, and what has changed meanwhile is right when the network is back", async ({
  page,
  startGateway,
  startProxy,
}) => {
  const gateway = await startGateway();
  const proxy = await startProxy(gateway);
  const north = systemPage(page);
  await page.goto(`${proxy.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  await markDocument(page);

  const after = await noteLevels(page);
  proxy.cut();
  await expect(north.link).toHaveAttribute("data-freshness", "late");
  await expect(north.link).toContainText(/No news for \d+ s/);
  await gateway.command("north", "timer", { seconds: 900, by: "Maria" });
  await expect(north.link).toHaveAttribute("data-freshness", "unknown", { timeout: 15_000 });
  await expect(north.link).toContainText(/State unknown since \d\d:\d\d:\d\d/);
  await expect(north.timer).toBeDisabled();
  await expect(north.mode, "it cannot know").toHaveText("Waiting");
  const [late, unknown] = [await after("late"), await after("unknown")];
  figure("amber and red after the cut", `${ms(late)}, ${ms(unknown)}`);
  // Three and ten seconds after the last news, which is up to a second older than the cut.
  expect(late).toBeGreaterThan(1900);
  expect(late).toBeLessThan(4000);
  expect(unknown).toBeGreaterThan(8900);
  expect(unknown).toBeLessThan(11_000);

  proxy.heal();
  const healed = performance.now();
  await expect(north.link).toHaveAttribute("data-freshness", "live", { timeout: 20_000 });
  const liveAfter = performance.now() - healed;
  figure("live again after the network is back", ms(liveAfter));
  // One attempt to connect that began during the cut, and the pause after it; the heartbeat would need 45 s.
  expect(liveAfter).toBeLessThan(10_000);
  await expect(north.mode).toHaveText("Timer");
  expect(Math.abs(await countdownError(page, "north"))).toBeLessThanOrEqual(1000);
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);
});

test("a stop that is pressed during a cut is carried out and confirmed once the network is back", async ({
  page,
  startGateway,
  startProxy,
}) => {
  const gateway = await startGateway();
  const proxy = await startProxy(gateway);
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${proxy.url}/console/north`);
  await expect(north.mode).toHaveText("Manual");

  proxy.cut();
  await north.stop.click();
  await expect(north.outcome).toContainText(/sent/i);
  await expect(north.outcome).toContainText(/\(\d+ times\)/);
  expect((await gateway.state("north")).mode, "nothing has come through").toBe("manual");

  proxy.heal();
  const healed = performance.now();
  await expect(north.outcome).toContainText("Confirmed");
  figure("stop confirmed after the network is back", ms(performance.now() - healed));
  expect((await gateway.state("north")).mode).toBe("wait");
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.history("north")).map(({ outcome, ended_by }) => [outcome, ended_by])).toEqual([
    ["stopped", "console"],
  ]);
  await expect(north.link).toHaveAttribute("data-freshness", "live", { timeout: 20_000 });
});

test("a start that is pressed during a cut opens no valve when the network is back later", async ({
  page,
  startGateway,
  startProxy,
}) => {
  const gateway = await startGateway();
  const proxy = await startProxy(gateway);
  const north = systemPage(page);
  await page.goto(`${proxy.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");

  proxy.cut();
  await north.manual.click();
  await expect(north.outcome).toContainText(/sent/i);
  await expect(north.outcome).toContainText("manual may have started", { timeout: 20_000 });
  proxy.heal();
  await expect(north.link).toHaveAttribute("data-freshness", "live", { timeout: 20_000 });
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.state("north")).seq, "nobody has started anything").toBe(0);
});
