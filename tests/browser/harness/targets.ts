// How large what can be pressed is. Never counts a link in the middle of a sentence, which is as tall as its line.
import type { Page } from "@playwright/test";

export const SMALLEST = 44;

export interface Target {
  what: string;
  width: number;
  height: number;
}

/** Every visible control of the page. */
export function targetsOf(page: Page): Promise<Target[]> {
  return page.evaluate(() => {
    const isInSentence = (element: Element): boolean => {
      const { display } = getComputedStyle(element);
      const around = element.parentElement?.textContent.trim() ?? "";
      return element.localName === "a" && display === "inline" && around !== element.textContent?.trim();
    };
    return [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
      .filter((element) => element.checkVisibility() && !isInSentence(element))
      .map((element) => {
        const { width, height } = element.getBoundingClientRect();
        const name = element.getAttribute("aria-label") ?? element.textContent?.trim() ?? "";
        return { what: `${element.localName} ${name}`, width, height };
      });
  });
}

export function tooSmall(targets: readonly Target[]): Target[] {
  return targets.filter(({ width, height }) => width < SMALLEST || height < SMALLEST);
}
