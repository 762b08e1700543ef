// All systems at a glance: what runs comes first, changes show by themselves, and one button stops all. Never looks
// into the page's own memory: which rooms it is in is read from the wire.
import type { Page } from "@playwright/test";
import { isMarked, markDocument, overview, systemPage } from "../harness/console.ts";
import type { SystemSetup } from "../harness/gateway.ts";
import { Rooms } from "../harness/rooms.ts";
import { expect, test } from "../harness/test.ts";

/** A gateway takes this many for one socket. */
const MOST_ROOMS = 128;

/** s001 Field 001, s002 Field 002, … */
function fields(count: number): SystemSetup[] {
  return Array.from({ length: count }, (_, i) => {
    const number = String(i + 1).padStart(3, "0");
    return { id: `s${number}`, name: `Field ${number}` };
  });
}

test("what runs comes first and is counted, and every change shows without a reload", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway({
    systems: [...["north", "orchard", "greenhouse", "vines", "lawn"].map((id) => ({ id, name: `The ${id}` }))],
  });
  await gateway.command("orchard", "timer", { seconds: 600, by: "Maria" });
  await gateway.command("vines", "manual", { by: "Maria" });
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Irrigation systems");
  await markDocument(page);
  await expect(list.running).toHaveCount(2);
  await expect(list.waiting).toHaveCount(3);
  await expect(list.summary).toContainText("2 of 5");
  expect(await page.getByRole("heading", { level: 2 }).allTextContents()).toEqual(["Running", "Waiting"]);
  await expect(list.card("The orchard")).toHaveAccessibleName(/The orchard.*Timer.*\d+:\d\d/);
  await expect(list.card("The orchard")).toContainText(/(10:00|9:5\d)/);
  await expect(list.card("The vines")).toHaveAccessibleName(/The vines.*Manual.*\d+:\d\d/);
  await expect(list.card("The lawn")).toHaveAccessibleName(/The lawn.*Waiting/);

  await gateway.command("lawn", "timer", { seconds: 2, by: "soil-3" });
  await expect(list.card("The lawn")).toContainText("Timer");
  await expect(list.running).toHaveCount(3);
  await expect(list.summary).toContainText("3 of 5");
  await gateway.command("orchard", "stop", { by: "Jo" });
  await expect(list.card("The orchard")).toContainText("Waiting");
  // The timer of two seconds ends by itself.
  await expect(list.running).toHaveCount(1);
  await expect(list.summary).toContainText("1 of 5");
  await gateway.command("vines", "stop", { by: "Jo" });
  await expect(list.waiting).toHaveCount(5);
  await expect(list.summary).toContainText("No water is running");
  expect(await isMarked(page), "nobody has reloaded the page").toBe(true);

  await list.card("The greenhouse").click();
  await expect(page).toHaveURL(`${gateway.url}/console/greenhouse`);
  await expect(systemPage(page).name).toHaveText("The greenhouse");
});

test("a few systems need no search, more than a dozen have one", async ({ page, startGateway }) => {
  const [few, more] = [await startGateway({ systems: fields(12) }), await startGateway({ systems: fields(13) })];
  await page.goto(few.url);
  await expect(overview(page).waiting).toHaveCount(12);
  await expect(overview(page).search).toHaveCount(0);
  await page.goto(more.url);
  await expect(overview(page).waiting).toHaveCount(13);
  await expect(overview(page).search).toBeVisible();
});

/** The ids of the cards of which anything is to be seen. */
function inSight(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("a[href^='/console/']")]
      .filter((card) => {
        const { top, bottom } = card.getBoundingClientRect();
        return bottom > 0 && top < innerHeight;
      })
      .map((card) => card.getAttribute("href")?.replace("/console/", "") ?? ""),
  );
}

/** All in sight are joined, and of the rest only what lies so near that the next turn of the wheel shows it. */
async function followsTheEye(page: Page, rooms: Rooms): Promise<void> {
  await expect
    .poll(async () => {
      const seen = await inSight(page);
      const isAllJoined = seen.length > 0 && seen.every((id) => rooms.joined.has(id));
      return isAllJoined && rooms.joined.size <= 2 * seen.length;
    })
    .toBe(true);
}

test("of 150 systems those in sight are joined, and never too many", async ({ page, startGateway }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const gateway = await startGateway({ systems: fields(150) });
  const rooms = new Rooms(page);
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(list.card("Field 001")).toBeVisible();
  await followsTheEye(page, rooms);
  expect(rooms.joined.has("s001")).toBe(true);
  expect(rooms.joined.has("s150")).toBe(false);

  for (let turns = 0; turns < 40; turns += 1) await page.mouse.wheel(0, 400);
  await expect.poll(() => inSight(page)).not.toContain("s001");
  await followsTheEye(page, rooms);
  expect(rooms.joined.has("s001"), "what is out of sight is left").toBe(false);

  const [seen] = await inSight(page);
  if (seen === undefined) throw new Error("no card is in sight");
  await gateway.command(seen, "manual", { by: "Maria" });
  await expect(list.summary).toContainText("1 of 150");
  await expect(list.running).toHaveCount(1);
  expect(rooms.most).toBeLessThanOrEqual(MOST_ROOMS);
});

test("of 150 systems the search finds one by its name or its id", async ({ page, startGateway }) => {
  const systems = [...fields(149), { id: "pumphouse-7", name: "Élise’s terrace" }];
  const gateway = await startGateway({ systems });
  const rooms = new Rooms(page);
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(list.card("Field 001")).toBeVisible();

  for (const words of ["Élise", "elise terr", "PUMPHOUSE-7"]) {
    await list.search.fill(words);
    await expect(list.waiting).toHaveCount(1);
    await expect(list.waiting).toHaveAccessibleName(/Élise’s terrace/);
    await expect.poll(() => [...rooms.joined]).toEqual(["pumphouse-7"]);
  }
  await list.search.fill("s042");
  await expect(list.waiting).toHaveAccessibleName(/Field 042/);
  await list.search.fill("nothing of the kind");
  await expect(list.waiting).toHaveCount(0);
  await list.search.fill("");
  await expect(list.card("Field 001")).toBeVisible();
  expect(rooms.most).toBeLessThanOrEqual(MOST_ROOMS);
});

test("stop all stops what is in sight and what is not", async ({ page, startGateway }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const gateway = await startGateway({ systems: fields(150) });
  const running = ["s001", "s075", "s149", "s150"];
  for (const id of running) await gateway.command(id, "manual", { by: "Maria" });
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(list.running).toHaveCount(4);
  await expect(list.summary).toContainText("4 of 150");
  // These begin while nobody looks at them: only the gateway knows.
  await list.search.fill("Field 001");
  await expect(list.running).toHaveCount(1);
  running.push("s100");
  await gateway.command("s100", "timer", { seconds: 600, by: "soil-3" });

  await list.stopAll.click();
  await list.confirm.click();
  await expect(list.outcome).toContainText("Confirmed");
  for (const id of running) {
    await expect.poll(async () => (await gateway.state(id)).mode, id).toBe("wait");
    expect((await gateway.history(id)).map(({ outcome, ended_by }) => [outcome, ended_by])).toEqual([
      ["stopped", "console"],
    ]);
  }
  await list.search.fill("");
  await expect(list.summary).toContainText("No water is running");
});

test("the demonstration is seen alive within ten seconds", async ({ page, startGateway }) => {
  const gateway = await startGateway({ simulated: true });
  const list = overview(page);
  await page.goto(gateway.url);
  await expect(list.running.first()).toBeVisible({ timeout: 10_000 });
  await expect(list.running.first()).toContainText(/Timer|Manual/);
});
