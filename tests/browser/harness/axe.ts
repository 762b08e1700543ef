// What axe finds on a page: WCAG 2.2 A and AA, good practice, and contrast of 7:1. Never waives a rule.
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Of AAA, and therefore in none of the tags. */
const CONTRAST = "color-contrast-enhanced";

/** One line for each element that breaks a rule; of a part of the page, if that is named by a selector. */
export async function violationsOf(page: Page, part = "html"): Promise<string[]> {
  const found = await new AxeBuilder({ page })
    .include(part)
    // In the page itself, which has no frames; otherwise each look opens a page of its own.
    .setLegacyMode(true)
    .options({ runOnly: { type: "tag", values: TAGS }, rules: { [CONTRAST]: { enabled: true } } })
    .analyze();
  const judged = [...found.passes, ...found.violations, ...found.incomplete];
  if (!judged.some(({ id }) => id === CONTRAST)) throw new Error(`axe did not look at ${CONTRAST}`);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} (${help}) at ${target.join(" ")}: ${failureSummary ?? ""}`),
  );
}
