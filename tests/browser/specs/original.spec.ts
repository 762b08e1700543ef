// The original's page, unchanged, at an origin of its own: it sees and moves the default system as it always did. Never
// uses anything that the original had not.
import type { Page } from "@playwright/test";
import type { Gateway } from "../harness/gateway.ts";
import type { Proxy } from "../harness/proxy.ts";
import { expect, test } from "../harness/test.ts";

const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$/;

function shown(page: Page, name: string) {
  return page.locator(`#${name}`);
}

async function press(page: Page, name: string, answer: string | RegExp): Promise<void> {
  await page.getByRole("button", { name }).click();
  await expect(shown(page, "answer")).toHaveText(answer);
}

async function allOfIt(page: Page, gateway: Gateway): Promise<void> {
  await expect(shown(page, "link")).toHaveText("open");
  await expect(shown(page, "mode")).toHaveText("wait_mode");
  await expect(shown(page, "timestamp")).toHaveText(LOCAL_TIME);
  await expect(shown(page, "since")).toHaveText("null");

  await page.getByLabel("Seconds").fill("300");
  await press(page, "Timer", "timer mode starter");
  await expect(shown(page, "mode")).toHaveText("timer_mode");
  await expect(shown(page, "since")).toHaveText(LOCAL_TIME);
  await expect(shown(page, "to")).toHaveText(LOCAL_TIME);
  const { elapsed_ms, remaining_ms } = await gateway.state("north");
  expect((elapsed_ms ?? 0) + (remaining_ms ?? 0)).toBe(300_000);

  await press(page, "Manual", "clock mode starter");
  await expect(shown(page, "mode")).toHaveText("manual_mode");
  await expect(shown(page, "to")).toHaveText("null");

  await press(page, "Stop", "stop");
  await expect(shown(page, "mode")).toHaveText("wait_mode");

  await page.getByLabel("Seconds").fill("");
  await press(page, "Timer", "timer mode starter");
  await expect(shown(page, "mode")).toHaveText("timer_mode");
  expect((await gateway.state("north")).remaining_ms).toBeLessThanOrEqual(10_000);
  await press(page, "Stop", "stop");

  await press(page, "History", /^\[/);
  const rows = JSON.parse((await shown(page, "answer").textContent()) ?? "") as Record<string, string | null>[];
  expect(rows.map((row) => [row["mode"], row["to"]])).toEqual([
    ["timer_mode", null],
    ["manual_mode", null],
    ["timer_mode", null],
  ]);
  for (const row of rows) {
    expect(row["timestamp"]).toMatch(LOCAL_TIME);
    expect(row["since"]).toMatch(LOCAL_TIME);
  }
  expect((await gateway.state("orchard")).seq, "the other systems are left alone").toBe(0);
}

test("the page of another origin works where every origin is allowed, as in the demonstration", async ({
  page,
  startGateway,
  serveOriginal,
}) => {
  const gateway = await startGateway({ origins: ["*"] });
  const original = await serveOriginal();
  await page.goto(original.pageFor(gateway));
  await allOfIt(page, gateway);
});

test("the page of another origin works where its origin alone is allowed", async ({
  page,
  startGateway,
  serveOriginal,
}) => {
  const original = await serveOriginal();
  const gateway = await startGateway({ origins: [original.origin] });
  await page.goto(original.pageFor(gateway));
  await allOfIt(page, gateway);
});

test("a frame comes every second, and the message close ends the feed", async ({
  page,
  startGateway,
  serveOriginal,
}) => {
  const gateway = await startGateway({ origins: ["*"] });
  const original = await serveOriginal();
  const moments: string[] = [];
  page.on("websocket", (socket) => {
    expect(socket.url()).toBe(`${gateway.url.replace("http", "ws")}/ws`);
    socket.on("framereceived", ({ payload }) => {
      const frame = JSON.parse(String(payload)) as Record<string, unknown>;
      expect(Object.keys(frame)).toEqual(["mode", "timestamp", "since", "to"]);
      moments.push(String(frame["timestamp"]));
    });
  });
  await page.goto(original.pageFor(gateway));
  await expect.poll(() => moments.length).toBeGreaterThanOrEqual(4);
  // The first frame comes on connecting, the others at the turn of each second.
  const seconds = moments.slice(1, 4).map((moment) => Number(moment.slice(17, 19)));
  expect(seconds.slice(1)).toEqual(seconds.slice(0, -1).map((second) => (second + 1) % 60));

  await page.getByRole("button", { name: "Close" }).click();
  await expect(shown(page, "link")).toHaveText("closed");
});

/** The answer on the wire to the request that begins with this line. */
function exchange(proxy: Proxy, line: string): { asked: string; answered: string } {
  for (const { asked, answered } of proxy.heard) {
    const requests = asked.split(/(?=(?:GET|POST|OPTIONS) \/\S* HTTP\/1\.1\r\n)/);
    const answers = answered.split(/(?=HTTP\/1\.1 \d{3} )/);
    const at = requests.findIndex((request) => request.startsWith(line));
    if (at >= 0) return { asked: requests[at] ?? "", answered: answers[at] ?? "" };
  }
  throw new Error(`${line} was not on the wire`);
}

for (const allowed of ["every origin", "this origin alone"]) {
  test(`the browser's preflight is answered on the wire where ${allowed} is allowed`, async ({
    page,
    startGateway,
    startProxy,
    serveOriginal,
  }) => {
    const original = await serveOriginal();
    const expected = allowed === "every origin" ? "*" : original.origin;
    const gateway = await startGateway({ origins: [expected] });
    const proxy = await startProxy(gateway);
    await page.goto(original.pageFor(proxy));
    await page.getByLabel("Say that it is JSON").check();
    await page.getByLabel("Seconds").fill("60");

    const steps = [
      ["Timer", "/timer?seconds=60", "timer mode starter"],
      ["Manual", "/manual", "clock mode starter"],
      ["Stop", "/stop", "stop"],
      ["History", "/history", /^\[/],
    ] as const;
    for (const [button, path, answer] of steps) {
      await press(page, button, answer);

      const preflight = exchange(proxy, `OPTIONS ${path} `);
      expect(preflight.asked).toContain(`Origin: ${original.origin}\r\n`);
      expect(preflight.asked).toContain("Access-Control-Request-Method: GET\r\n");
      expect(preflight.asked.toLowerCase()).toContain("access-control-request-headers: content-type\r\n");
      expect(preflight.answered).toMatch(/^HTTP\/1\.1 20[04] /);
      expect(preflight.answered).toContain(`access-control-allow-origin: ${expected}\r\n`);
      expect(preflight.answered).toMatch(/access-control-allow-headers: (\*|content-type)\r\n/);

      const request = exchange(proxy, `GET ${path} `);
      expect(request.asked.toLowerCase()).toContain("content-type: application/json\r\n");
      expect(request.answered).toContain(`access-control-allow-origin: ${expected}\r\n`);
    }
    expect((await gateway.state("north")).seq, "timer, manual and stop: each once").toBe(3);
  });
}

test("a page whose origin is not allowed opens no valve and no feed, however it asks", async ({
  page,
  startGateway,
  startProxy,
  serveOriginal,
}) => {
  const [allowed, foreign] = [await serveOriginal(), await serveOriginal()];
  const gateway = await startGateway({ origins: [allowed.origin] });
  const proxy = await startProxy(gateway);
  await page.goto(foreign.pageFor(proxy));
  await expect(shown(page, "link")).toHaveText("closed");
  await expect(shown(page, "frames")).toHaveText("0");
  await press(page, "Manual", /^failed/);
  await page.getByLabel("Say that it is JSON").check();
  await press(page, "Timer", /^failed/);

  // What CORS does not keep a page from: a request whose answer it cannot read, an image, a form.
  await page.evaluate(async (base) => {
    await fetch(`${base}/manual`, { mode: "no-cors" });
    await fetch(`${base}/systems/north/manual`, { mode: "no-cors", method: "POST" });
    const image = new Image();
    const loaded = new Promise((resolve) => (image.onerror = image.onload = resolve));
    image.src = `${base}/timer?seconds=60`;
    await loaded;
    const form = document.createElement("form");
    const frame = document.createElement("iframe");
    frame.name = form.target = "elsewhere";
    document.body.append(frame, form);
    const answered = new Promise((resolve) => (frame.onload = resolve));
    form.method = "post";
    form.action = `${base}/systems/north/manual?by=form`;
    form.submit();
    await answered;
  }, proxy.url);

  for (const line of [
    "GET /ws ",
    "GET /manual ",
    "POST /systems/north/manual ",
    "GET /timer?seconds=60 ",
    "POST /systems/north/manual?by=form ",
  ]) {
    expect(exchange(proxy, line).answered, line).toMatch(/^HTTP\/1\.1 403 [^]*origin_not_allowed/);
  }
  expect((await gateway.state("north")).seq, "nothing has happened").toBe(0);
});
