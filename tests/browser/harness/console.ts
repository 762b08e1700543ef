// Where things are on the console's pages, by the names and roles that a person or a screen reader finds them by. Never
// waits and never asserts, but for the countdown, which is measured in one go.
import type { Locator, Page } from "@playwright/test";

export interface SystemPage {
  name: Locator;
  mode: Locator;
  /** What counts down or up. */
  figure: Locator;
  link: Locator;
  time: Locator;
  date: Locator;
  stop: Locator;
  timer: Locator;
  manual: Locator;
  outcome: Locator;
  rows: Locator;
  older: Locator;
  download: Locator;
  preset: (name: string) => Locator;
}

export function systemPage(page: Page): SystemPage {
  const history = page.getByRole("region", { name: "History" });
  return {
    name: page.getByRole("heading", { level: 1 }),
    mode: page.locator("h2.state-mode"),
    figure: page.getByRole("timer").locator(".figure-number"),
    link: page.locator(".link"),
    time: page.locator(".clock-time"),
    date: page.locator(".clock-date"),
    stop: page.getByRole("button", { name: "STOP", exact: true }),
    timer: page.getByRole("button", { name: "Start timer" }),
    manual: page.getByRole("button", { name: "Start manual" }),
    outcome: page.locator(".outcome"),
    rows: history.locator("ol.actions > li"),
    older: history.getByRole("button", { name: "Show older" }),
    download: history.getByRole("button", { name: "Download CSV" }),
    preset: (name) => page.getByRole("group", { name: "Length" }).getByRole("button", { name, exact: true }),
  };
}

export interface Overview {
  summary: Locator;
  running: Locator;
  waiting: Locator;
  card: (name: string) => Locator;
  search: Locator;
  stopAll: Locator;
  question: Locator;
  cancel: Locator;
  confirm: Locator;
  outcome: Locator;
}

export function overview(page: Page): Overview {
  const group = (name: string): Locator =>
    page.locator("section", { has: page.getByRole("heading", { level: 2, name, exact: true }) }).getByRole("link");
  const question = page.getByRole("dialog");
  return {
    summary: page.locator(".summary"),
    running: group("Running"),
    waiting: group("Waiting"),
    card: (name) => page.getByRole("main").getByRole("link", { name }),
    search: page.getByRole("searchbox", { name: "Search systems" }),
    stopAll: page.locator(".stop-bar").getByRole("button", { name: "Stop all" }),
    question,
    cancel: question.getByRole("button", { name: "Cancel" }),
    confirm: question.getByRole("button", { name: "Stop all" }),
    outcome: page.locator(".outcome"),
  };
}

/**
 * By how many milliseconds the countdown is behind what the gateway says remains, taken when its figure changes: then
 * it stands for one moment and not for a second. What is drawn four times a second may be a quarter of one behind.
 */
export function countdownError(page: Page, id: string): Promise<number> {
  return page.evaluate(async (system) => {
    const figure = document.querySelector(".figure-number");
    if (figure === null) throw new Error("nothing counts down");
    await new Promise<void>((changed) => {
      new MutationObserver((_, observer) => {
        observer.disconnect();
        changed();
      }).observe(figure, { characterData: true, childList: true, subtree: true });
    });
    const shown = (figure.textContent ?? "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
    const asked = performance.now();
    const response = await fetch(`/systems/${system}`);
    const { state } = (await response.json()) as { state: { remaining_ms: number } };
    // The gateway said it half-way between question and answer.
    const since = (performance.now() - asked) / 2;
    return shown * 1000 - (state.remaining_ms + since);
  }, id);
}

/** A mark that a reload would wipe out. */
export async function markDocument(page: Page): Promise<void> {
  await page.evaluate(() => Object.assign(window, { isStillTheSame: true }));
}

export function isMarked(page: Page): Promise<boolean> {
  return page.evaluate(() => "isStillTheSame" in window);
}
