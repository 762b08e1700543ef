// What has run: the last ten live, older ones on demand, all of it as a table and as a picture. Never more history than
// what commands have made.
import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { systemPage } from "../harness/console.ts";
import type { Gateway } from "../harness/gateway.ts";
import { expect, test } from "../harness/test.ts";

async function run(gateway: Gateway, by: string): Promise<void> {
  await gateway.command("north", "manual", { by });
  await gateway.command("north", "stop", { by: "Jo" });
}

test("the last ten runs are shown, a new one comes by itself, and older ones on demand", async ({
  page,
  startGateway,
}) => {
  const gateway = await startGateway();
  for (let i = 1; i <= 23; i += 1) await run(gateway, `Maria ${i}`);
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.rows).toHaveCount(10);
  await expect(north.rows.first()).toContainText("Maria 23");
  await expect(north.rows.last()).toContainText("Maria 14");

  await run(gateway, "soil-3");
  await expect(north.rows.first()).toContainText("soil-3");
  await expect(north.rows.first()).toContainText("stopped");
  await gateway.command("north", "timer", { seconds: 1, by: "soil-4" });
  await expect(north.rows.first()).toContainText("soil-4");
  await expect(north.rows.first()).toContainText("completed");
  await expect(north.rows).toHaveCount(10);

  await north.older.click();
  await expect(north.rows).toHaveCount(20);
  await expect(north.rows.last()).toContainText("Maria 6");
  await north.older.click();
  await expect(north.rows).toHaveCount(25);
  await expect(north.rows.last()).toContainText("Maria 1");
  await expect(north.older).toHaveAttribute("aria-disabled", "true");
});

async function downloaded(page: Page): Promise<{ name: string; text: string }> {
  const coming = page.waitForEvent("download");
  await systemPage(page).download.click();
  const download = await coming;
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

test("the history is downloaded as a whole, and no name in it becomes a formula", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  for (let i = 1; i <= 120; i += 1) await run(gateway, `Maria ${i}`);
  const names = ["=1+1", "+1", "-1", "@SUM(A1)", 'a "quoted", name', "José"];
  for (const by of names) await run(gateway, by);
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.rows.first()).toContainText("José");
  await expect(north.rows, "in the page it is what it is").toContainText([/.*/, /.*/, /.*/, /.*/, /.*/, "=1+1"]);

  const { name, text } = await downloaded(page);
  expect(name).toMatch(/north.*\.csv$/);
  const lines = text.replace(/^\uFEFF/, "").trimEnd().split("\r\n");
  expect(lines[0]).toBe("system,id,mode,start,end,duration_ms,planned_ms,outcome,by,ended_by");
  expect(lines).toHaveLength(1 + 126);
  expect(lines.slice(1, 7).map((line) => /,stopped,(.*),Jo$/.exec(line)?.[1])).toEqual([
    "José",
    '"a ""quoted"", name"',
    `"'@SUM(A1)"`,
    `"'-1"`,
    `"'+1"`,
    `"'=1+1"`,
  ]);
  const [newest] = await gateway.history("north", 1);
  expect(lines[1]).toContain(`north,${newest?.id ?? "?"},manual,${newest?.start ?? "?"},${newest?.end ?? "?"},`);
});

test("the timeline has a block with a title for each run, and a line for now", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  for (const by of ["Maria", "Jo", "soil-3"]) await run(gateway, by);
  const north = systemPage(page);
  await page.goto(`${gateway.url}/console/north`);
  await expect(north.rows).toHaveCount(3);
  const timeline = page.locator("svg.timeline");
  const blocks = timeline.locator(".timeline-block");
  await expect(timeline).toHaveAccessibleName(/3 runs/);
  await expect(blocks).toHaveCount(3);
  const titles = await blocks.locator("title").allTextContents();
  for (const title of titles) expect(title).toMatch(/^Manual, stopped\n/);
  expect(titles.map((title) => /^by (.*)$/m.exec(title)?.[1]).sort()).toEqual(["Jo", "Maria", "soil-3"]);

  const now = timeline.locator(".timeline-now");
  await expect(now).toHaveCount(1);
  const ends = await blocks.evaluateAll((all) => all.map((each) => each.getBoundingClientRect().right));
  const { left, right } = await timeline.evaluate((each) => each.getBoundingClientRect());
  const line = await now.evaluate((each) => each.getBoundingClientRect().right);
  for (const end of ends) expect(end, "all has ended by now").toBeLessThanOrEqual(line + 2);
  expect(line).toBeGreaterThan(left + 0.9 * (right - left));
  expect(line).toBeLessThan(right);

  // Water that runs: what has passed of it, and what is planned still.
  await gateway.command("north", "timer", { seconds: 1800, by: "Maria" });
  await expect(blocks).toHaveCount(5);
  await expect(blocks.last().locator("title")).toHaveText(/^Timer, running\n/);
  const ahead = await blocks.last().evaluate((each) => each.getBoundingClientRect().left);
  expect(Math.abs(ahead - line)).toBeLessThanOrEqual(3);
});
