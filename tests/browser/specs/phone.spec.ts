// The console in a hand: one column, nothing sideways, STOP under the thumb and larger than all else. Never uses a
// mouse.
import type { Locator, Page } from "@playwright/test";
import { overview, systemPage } from "../harness/console.ts";
import { targetsOf, tooSmall } from "../harness/targets.ts";
import { expect, test } from "../harness/test.ts";

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

async function box(locator: Locator): Promise<Box> {
  const found = await locator.boundingBox();
  if (found === null) throw new Error("it is not to be seen");
  return found;
}

async function isNotSideways(page: Page): Promise<void> {
  const [wide, seen] = await page.evaluate(() => {
    scrollTo(1000, 0);
    const { scrollWidth, clientWidth } = document.documentElement;
    return [scrollWidth + scrollX, clientWidth];
  });
  expect(wide).toBe(seen);
}

/** The controls whose text sticks out of them. */
function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("a[href], button")]
      .filter((element) => element.scrollWidth > element.clientWidth && getComputedStyle(element).display !== "inline")
      .map((element) => element.textContent ?? ""),
  );
}

/** In sight at the foot of the screen, whole, with nothing over it, however far one has scrolled. */
async function isInReach(page: Page, stop: Locator): Promise<void> {
  for (const to of [0, 100_000]) {
    await page.evaluate((y) => {
      scrollTo(0, y);
    }, to);
    const screen = page.viewportSize() ?? { width: 0, height: 0 };
    const { x, y, width, height } = await box(stop);
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(screen.width);
    expect(y).toBeGreaterThan(screen.height / 2);
    expect(y + height).toBeLessThanOrEqual(screen.height);
    const middle = [x + width / 2, y + height / 2] as const;
    const isOnTop = (button: Element, [left, top]: readonly [number, number]): boolean =>
      button.contains(document.elementFromPoint(left, top));
    expect(await stop.evaluate(isOnTop, middle)).toBe(true);
  }
}

async function isLargest(page: Page, stop: Locator): Promise<void> {
  const { width, height } = await box(stop);
  const [largest, second] = (await targetsOf(page)).map((each) => each.width * each.height).sort((a, b) => b - a);
  expect(Math.abs(width * height - (largest ?? 0))).toBeLessThan(1);
  expect(largest).toBeGreaterThan(1.25 * (second ?? 0));
}

for (const viewport of [
  { width: 390, height: 844 },
  { width: 320, height: 568 },
]) {
  test.describe(`on a phone of ${viewport.width} × ${viewport.height}`, () => {
    test.use({ viewport, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

    test("a system is one column with STOP in reach, in every mode", async ({ page, startGateway }) => {
      const gateway = await startGateway({
        systems: [{ id: "north", name: "The long field in the north, behind the old mill" }],
      });
      for (const by of ["Maria", "Jo", "soil-3"]) {
        await gateway.command("north", "manual", { by });
        await gateway.command("north", "stop", { by });
      }
      const north = systemPage(page);
      await page.goto(`${gateway.url}/console/north`);
      await expect(north.rows).toHaveCount(3);

      const parts = [north.name, page.locator(".clock"), page.locator(".state"), north.preset("1 min")];
      parts.push(north.timer, north.manual, page.locator(".timeline"), north.rows.first(), north.download);
      const isFine = async (): Promise<void> => {
        await isNotSideways(page);
        expect(await overflowing(page)).toEqual([]);
        await isInReach(page, north.stop);
        await isLargest(page, north.stop);
        expect(tooSmall(await targetsOf(page))).toEqual([]);
        await page.evaluate(() => {
          scrollTo(0, 0);
        });
        const boxes = await Promise.all(parts.map(box));
        for (const [i, { y }] of boxes.slice(1).entries()) {
          const above = boxes[i] ?? { y: Infinity, height: 0 };
          expect(y, `part ${i + 1} lies below what comes before`).toBeGreaterThanOrEqual(above.y + above.height - 1);
        }
      };
      await expect(north.mode).toHaveText("Waiting");
      await isFine();
      await north.preset("30 min").tap();
      await north.timer.tap();
      await expect(north.mode).toHaveText("Timer");
      await isFine();
      await north.manual.tap();
      await expect(north.mode).toHaveText("Manual");
      await isFine();
      await north.stop.tap();
      await expect(north.mode).toHaveText("Waiting");
    });

    test("the overview is one column, and stops all after one question", async ({ page, startGateway }) => {
      const gateway = await startGateway();
      await gateway.command("north", "manual", { by: "Maria" });
      await gateway.command("orchard", "timer", { seconds: 600, by: "Maria" });
      const list = overview(page);
      await page.goto(gateway.url);
      await expect(list.running).toHaveCount(2);
      await isNotSideways(page);
      expect(await overflowing(page)).toEqual([]);
      await isInReach(page, list.stopAll);
      expect(tooSmall(await targetsOf(page))).toEqual([]);
      const cards = await Promise.all(["North field", "Orchard", "Greenhouse"].map((name) => box(list.card(name))));
      expect(new Set(cards.map(({ x }) => x)).size).toBe(1);
      expect(new Set(cards.map(({ width }) => width)).size).toBe(1);

      await list.stopAll.tap();
      await expect(list.question).toBeVisible();
      await isNotSideways(page);
      expect(tooSmall(await targetsOf(page))).toEqual([]);
      await list.confirm.tap();
      await expect(list.waiting).toHaveCount(3);
      await list.card("Greenhouse").tap();
      await expect(systemPage(page).name).toHaveText("Greenhouse");
    });
  });
}
