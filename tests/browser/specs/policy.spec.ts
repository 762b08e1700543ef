// What the console may do: load from its own gateway, and nothing else, without a word of complaint from the browser.
// Never allows an exception.
import { overview, systemPage } from "../harness/console.ts";
import { expect, test } from "../harness/test.ts";

test("no page breaks the policy, reports an error, or asks another host", async ({ page, startGateway }) => {
  const gateway = await startGateway();
  const complaints: string[] = [];
  const foreign: string[] = [];
  const isOurs = (address: string): boolean => new URL(address).host === new URL(gateway.url).host;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (failure) => complaints.push(failure.message));
  page.on("request", (request) => {
    if (!isOurs(request.url()) && !request.url().startsWith("blob:")) foreign.push(request.url());
  });
  page.on("requestfailed", (request) => complaints.push(`${request.url()} failed`));
  page.on("websocket", (socket) => {
    if (!isOurs(socket.url())) foreign.push(socket.url());
  });
  await page.exposeFunction("complain", (text: string) => complaints.push(text));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      (window as unknown as { complain: (text: string) => void }).complain(`${violatedDirective} ${blockedURI}`);
    });
  });

  const isUnderPolicy = async (path: string): Promise<void> => {
    const answer = await page.goto(`${gateway.url}${path}`);
    const policy = (await answer?.allHeaders())?.["content-security-policy"] ?? "";
    expect(policy).toMatch(/(^|; ?)default-src 'self'(;|$)/);
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  };
  await isUnderPolicy("/");
  const list = overview(page);
  await expect(list.waiting).toHaveCount(3);
  await list.stopAll.click();
  await expect(list.question).toBeVisible();
  await list.cancel.click();

  await isUnderPolicy("/console/north");
  const north = systemPage(page);
  await expect(north.mode).toHaveText("Waiting");
  await north.timer.click();
  await expect(north.mode).toHaveText("Timer");
  await north.manual.click();
  await expect(north.mode).toHaveText("Manual");
  await expect(page.locator("progress, svg.timeline .timeline-block").first()).toBeVisible();
  await north.stop.click();
  await expect(north.rows).toHaveCount(2);
  const coming = page.waitForEvent("download");
  await north.download.click();
  await (await coming).path();
  await page.getByRole("button", { name: "Français" }).click();
  await expect(north.mode).toHaveText("En attente");

  await isUnderPolicy("/console/nowhere");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("nowhere");

  // The listeners hear what is wrong: an inline script is refused here, and nothing else was.
  expect(complaints).toEqual([]);
  expect(foreign).toEqual([]);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'broken'";
    document.head.append(script);
  });
  await expect.poll(() => complaints.join()).toContain("script-src");
});
