// Everybody can read and use the console: no page in any state, theme or language breaks a rule of axe. Never judges by
// what cannot fail: the first test shows that what is looked for is found.
import type { Page } from "@playwright/test";
import { violationsOf } from "../harness/axe.ts";
import { overview } from "../harness/console.ts";
import { targetsOf, tooSmall } from "../harness/targets.ts";
import { expect, test } from "../harness/test.ts";

test("a text of 6:1, a nameless button and a target that is too small are found", async ({ page }) => {
  await page.setContent(`<!doctype html><html lang="en"><head><title>Planted</title></head><body><main>
    <h1>Planted</h1>
    <p style="color: #5f5f5f; background: #fff">Black on white would do.</p>
    <button style="width: 43px; height: 44px"></button>
    <p>Read <a href="/more">more</a> of it, or <button style="width: 50px; height: 50px">go</button></p>
    </main></body></html>`);
  const found = (await violationsOf(page)).join("\n");
  expect(found).toContain("color-contrast-enhanced");
  expect(found).toContain("button-name");
  expect(tooSmall(await targetsOf(page)).map(({ width }) => width)).toEqual([43]);
});

const LANGUAGES = [
  { locale: "en-GB", lang: "en", mode: { wait: "Waiting", timer: "Timer", manual: "Manual" }, stopAll: "Stop all" },
  {
    locale: "fr-FR",
    lang: "fr",
    mode: { wait: "En attente", timer: "Minuterie", manual: "Manuel" },
    stopAll: "Tout arrêter",
  },
];

async function isAccessible(page: Page, lang: string, part?: string): Promise<void> {
  expect(await violationsOf(page, part)).toEqual([]);
  expect(tooSmall(await targetsOf(page))).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.lang)).toBe(lang);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const { locale, lang, mode, stopAll } of LANGUAGES) {
    test.describe(`in ${lang}, ${colorScheme}`, () => {
      test.use({ colorScheme, locale });

      test("no page in any state breaks a rule", async ({ page, startGateway }) => {
        const gateway = await startGateway();
        await gateway.command("greenhouse", "manual", { by: "Jo" });
        await gateway.command("greenhouse", "stop", { by: "Jo" });
        await gateway.command("orchard", "manual", { by: "Jo" });

        await test.step("the overview and its question", async () => {
          await page.goto(gateway.url);
          await expect(overview(page).card("Orchard")).toContainText(mode.manual);
          await isAccessible(page, lang);
          await page.getByRole("button", { name: stopAll }).click();
          await expect(page.getByRole("dialog")).toBeVisible();
          await isAccessible(page, lang);
        });

        const shows = async (id: string, shown: string): Promise<void> => {
          await page.goto(`${gateway.url}/console/${id}`);
          await expect(page.locator(".state-mode")).toHaveText(shown);
        };
        await test.step("a system that waits and has a history", async () => {
          await shows("greenhouse", mode.wait);
          await expect(page.locator("ol.actions > li")).toHaveCount(1);
          await isAccessible(page, lang);
        });
        await test.step("a manual run", async () => {
          await shows("orchard", mode.manual);
          await isAccessible(page, lang);
        });
        await test.step("a system that is not there", async () => {
          await page.goto(`${gateway.url}/console/nowhere`);
          await expect(page.getByRole("heading", { level: 1 })).toContainText("nowhere");
          await isAccessible(page, lang);
        });
        await test.step("a running timer, and what became of a command", async () => {
          await shows("north", mode.wait);
          await page.locator("form.timer button[type=submit]").click();
          await expect(page.locator(".state-mode")).toHaveText(mode.timer);
          await expect(page.locator(".outcome")).not.toBeEmpty();
          await isAccessible(page, lang);
        });
      });
    });
  }
}

test("no page that is late or unknown breaks a rule, in any theme and language", async ({ browser, startGateway }) => {
  test.setTimeout(120_000);
  const gateway = await startGateway();
  await gateway.command("north", "timer", { seconds: 600, by: "Jo" });
  const looks = LANGUAGES.flatMap((each) => [
    { ...each, colorScheme: "light" as const },
    { ...each, colorScheme: "dark" as const },
  ]);
  const opened = looks.map(async ({ lang, mode, locale, colorScheme }) => {
    const context = await browser.newContext({ locale, colorScheme });
    const [system, list] = [await context.newPage(), await context.newPage()];
    await system.goto(`${gateway.url}/console/north`);
    await expect(system.locator(".state-mode")).toHaveText(mode.timer);
    await list.goto(gateway.url);
    await expect(overview(list).card("North field")).toContainText(mode.timer);
    return { lang, system, list };
  });
  const pages = await Promise.all(opened);
  const isAll = async (page: Page, level: string, lang: string, part?: string): Promise<void> => {
    await expect(page.locator(".link")).toHaveAttribute("data-freshness", level, { timeout: 15_000 });
    await isAccessible(page, lang, part);
    await expect(page.locator(".link")).toHaveAttribute("data-freshness", level);
  };

  await gateway.kill();
  // Nothing is late for long: only what says so is looked at then.
  for (const { system, lang } of pages) await isAll(system, "late", lang, ".link");
  for (const { system, list, lang } of pages) {
    await isAll(system, "unknown", lang);
    await isAll(list, "unknown", lang);
  }
});

test("the language is that of the browser until another one is chosen, which is remembered", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  const language = (): Promise<string> => page.evaluate(() => document.documentElement.lang);
  const heading = page.getByRole("heading", { level: 1 });
  const chosen = (name: string) => page.getByRole("button", { name });
  await page.goto(gateway.url);
  await expect(heading).toHaveText("Irrigation systems");
  expect(await language()).toBe("en");
  await expect(chosen("English")).toHaveAttribute("aria-pressed", "true");

  await chosen("Français").click();
  await expect(heading).toHaveText("Systèmes d’irrigation");
  expect(await language()).toBe("fr");
  await expect(chosen("Français")).toHaveAttribute("aria-pressed", "true");
  await expect(chosen("English")).toHaveAttribute("aria-pressed", "false");

  await page.reload();
  await expect(heading).toHaveText("Systèmes d’irrigation");
  expect(await language()).toBe("fr");
  await page.goto(`${gateway.url}/console/north`);
  await expect(page.locator(".state-mode")).toHaveText("En attente");
  await expect(page.getByRole("button", { name: "ARRÊT" })).toBeVisible();
  await chosen("English").click();
  await expect(page.locator(".state-mode")).toHaveText("Waiting");
  expect(await language()).toBe("en");
});
