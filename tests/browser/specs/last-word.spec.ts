// A stop is the last word: of the page on which it was pressed, of the one that comes after it, and of all systems.
// Never asks whether a button was pressed: the gateway says what runs.
import { systemPage, overview } from "../harness/console.ts";
import { expect, test } from "../harness/test.ts";

test("a stop that overtakes a start on its way is confirmed only after that start, and ends what it began", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  // The start takes another way, and arrives when the stop has long been answered.
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((go) => (letGo = go));
  await page.route("**/manual?*", async (route) => {
    await held;
    await route.continue();
  });
  const stopped = page.waitForResponse("**/stop?*");
  await north.manual.click();
  await north.stop.click();
  await stopped;
  await expect(north.outcome).not.toContainText("Confirmed");
  letGo();

  await expect(north.outcome).toContainText("Confirmed: the water is stopped");
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.state("north")).mode).toBe("wait");
  const [run] = await gateway.history("north");
  expect(run).toMatchObject({ mode: "manual", outcome: "stopped", ended_by: "console" });
});

test("a start that was given up while the gateway hung opens nothing when it goes on", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Waiting");
  gateway.freeze();
  await north.manual.click();
  await expect(north.outcome).toContainText("No answer from the gateway", { timeout: 20_000 });
  gateway.thaw();
  await expect(north.link).toHaveAttribute("data-freshness", "live", { timeout: 20_000 });
  await expect(north.mode).toHaveText("Waiting");
  expect((await gateway.state("north")).seq, "nobody has started anything").toBe(0);
});

test("a stop that is not confirmed when its page is left is carried on by the next one", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const north = systemPage(page);
  await gateway.command("north", "manual", { by: "Maria" });
  await page.goto(`${gateway.url}/console/orchard`);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.mode).toHaveText("Manual");
  // No stop reaches the gateway as long as this page is there.
  await page.route("**/stop?*", (route) => route.abort());
  await north.stop.click();
  await expect(north.outcome).toContainText(/\(\d+ times\)/);
  expect((await gateway.state("north")).mode).toBe("manual");
  await page.unroute("**/stop?*");
  const asked = page.waitForEvent("dialog");
  const left = page.goto(`${gateway.url}/console/orchard`);
  const question = await asked;
  expect(question.type()).toBe("beforeunload");
  await question.accept();
  await left;
  await expect(systemPage(page).name).toHaveText("Orchard");
  await expect.poll(async () => (await gateway.state("north")).mode).toBe("wait");
  const [run] = await gateway.history("north");
  expect(run).toMatchObject({ outcome: "stopped", by: "Maria", ended_by: "console" });
});

test("stop all stops what the search has put out of sight, and is forgotten when something runs again", async ({
  page,
  startGateway,
}) => {
  const systems = Array.from({ length: 20 }, (_, i) => ({ id: `zone-${i + 1}`, name: `Zone ${i + 1}` }));
  const gateway = await startGateway({ systems });
  const list = overview(page);
  await page.goto(gateway.url);
  await list.search.fill("Zone 20");
  await expect(list.waiting).toHaveCount(1);
  await gateway.command("zone-7", "manual", { by: "Maria" });
  await expect(list.summary).toContainText("1 of 20");
  await list.stopAll.click();
  await list.confirm.click();
  await expect(list.outcome).toContainText("Confirmed: all are stopped");
  expect((await gateway.state("zone-7")).mode).toBe("wait");
  await gateway.command("zone-8", "manual", { by: "Maria" });
  await expect(list.summary).toContainText("1 of 20");
  await expect(list.outcome).not.toContainText("Confirmed");
});

for (const [width, height] of [
  [320, 568],
  [1280, 650],
] as const) {
  test(`text of twice the size leaves STOP in sight and nothing to scroll sideways, at ${width} × ${height}`, async ({
    browser,
    startGateway,
  }) => {
    const gateway = await startGateway();
    await gateway.command("north", "timer", { seconds: 7200, by: "Maria" });
    for (const locale of ["en", "fr"]) {
      const page = await browser.newPage({ viewport: { width, height }, locale });
      for (const path of ["/", "/console/north"]) {
        await page.goto(gateway.url + path);
        await expect(page.locator(".card-time, .figure-number").first()).toBeVisible();
        await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
        // Named, not counted: what sticks out is what has to be mended.
        const out = await page.evaluate(() =>
          [...document.querySelectorAll("body *")]
            .filter((each) => !each.classList.contains("hidden"))
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 || each.scrollWidth > innerWidth)
            .map((each) => `${each.tagName}.${each.getAttribute("class") ?? ""} ${each.textContent}`),
        );
        expect(out, `${locale} ${path}`).toEqual([]);
        await expect(page.locator(".stop-bar .stop")).toBeInViewport({ ratio: 0.9 });
      }
      await page.close();
    }
  });
}
