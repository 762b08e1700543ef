// Pictures of the console as a farm would see it, for the eye and for the documentation. Never compares them: fonts
// differ from machine to machine.
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { overview, systemPage } from "../harness/console.ts";
import type { Gateway, SystemSetup } from "../harness/gateway.ts";
import { expect, test } from "../harness/test.ts";

const DOCUMENTED = process.env["BROWSER_TESTS_SCREENSHOTS"];
const FOLDER = DOCUMENTED ?? join(import.meta.dirname, "../../../target/screenshots");

/** Only who looks at the pictures for long needs to see runs of some length. */
const SECONDS = DOCUMENTED === undefined ? 1 : 12;

const FARM: SystemSetup[] = [
  { id: "north", name: "North field" },
  { id: "south", name: "South field" },
  { id: "orchard", name: "Orchard", timer_seconds: 900, manual_limit: 3600 },
  { id: "greenhouse", name: "Greenhouse", timer_seconds: 300 },
  { id: "vineyard", name: "Vineyard" },
  { id: "garden", name: "Kitchen garden" },
];

/** What ran in the last day, each hour with another clock. */
const YESTERDAY = [
  { clock: "-21h", by: "soil-3", mode: "timer" },
  { clock: "-16h", by: "Maria", mode: "manual" },
  { clock: "-13h", by: "soil-3", mode: "timer" },
  { clock: "-8h", by: "console", mode: "timer" },
  { clock: "-3h", by: "Jo", mode: "manual" },
] as const;

async function past(gateway: Gateway): Promise<void> {
  for (const [i, { clock, by, mode }] of YESTERDAY.entries()) {
    if (i > 0) {
      await gateway.kill();
      await gateway.restart(clock);
    }
    const areOver = (ids: readonly string[]): Promise<void> =>
      expect
        .poll(async () => (await Promise.all(ids.map((id) => gateway.history(id)))).map(({ length }) => length), {
          timeout: 60_000,
        })
        .toEqual(ids.map(() => i + 1));
    for (const id of ["north", "orchard"]) {
      await gateway.command(id, mode, mode === "timer" ? { seconds: SECONDS, by } : { by });
    }
    // By the time that this one is over, whoever opened a valve by hand comes back.
    await gateway.command("south", "timer", { seconds: SECONDS, by });
    await areOver(["south"]);
    if (mode === "manual") for (const id of ["north", "orchard"]) await gateway.command(id, "stop", { by: "console" });
    await areOver(["north", "orchard"]);
  }
  await gateway.kill();
  await gateway.restart();
}

async function look(browser: Browser, how: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, deviceScaleFactor: 1, ...how });
  return context.newPage();
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
}

test("pictures of the console", async ({ browser, startGateway, startProxy }) => {
  test.setTimeout(180_000);
  const gateway = await startGateway({ systems: FARM, clock: YESTERDAY[0].clock });
  await past(gateway);
  await gateway.command("north", "timer", { seconds: 1800, by: "Maria" });
  await gateway.command("greenhouse", "timer", { seconds: 300, by: "soil-3" });
  await gateway.command("orchard", "manual", { by: "Jo" });

  // Of the red page it takes ten seconds: it is cut off first and looked at last.
  const proxy = await startProxy(gateway);
  const red = await look(browser, { colorScheme: "light" });
  await red.goto(`${proxy.url}/console/north`);
  await expect(systemPage(red).rows).toHaveCount(YESTERDAY.length);
  proxy.cut();

  const looks = [
    { name: "overview-light", path: "/", how: { colorScheme: "light" } },
    { name: "overview-dark", path: "/", how: { colorScheme: "dark" } },
    { name: "system-light", path: "/console/north", how: { colorScheme: "light" } },
    { name: "system-dark", path: "/console/north", how: { colorScheme: "dark" } },
    { name: "french", path: "/console/orchard", how: { colorScheme: "light", locale: "fr-FR" } },
    {
      name: "phone",
      path: "/console/north",
      how: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
    },
  ] as const;
  for (const { name, path, how } of looks) {
    const page = await look(browser, how);
    await page.goto(`${gateway.url}${path}`);
    if (path === "/") await expect(overview(page).card("North field")).toContainText(/\d+:\d\d/);
    else await expect(page.locator("svg.timeline .timeline-block")).toHaveCount(YESTERDAY.length + 2);
    await expect(page.locator(".link")).toHaveAttribute("data-freshness", "live");
    await picture(page, name);
  }

  await expect(systemPage(red).link).toHaveAttribute("data-freshness", "unknown", { timeout: 15_000 });
  await picture(red, "unknown");
});
