// A browser whose machine believes that it is seven years later, fourteen hours ahead: `new Date()` is wrong of itself.
// Never pretends anything inside a page.
import { chromium, type Browser } from "@playwright/test";
import { CHROMIUM, isRoot } from "./chromium.ts";
import { wallClock } from "./faketime.ts";

export const YEARS_AHEAD = 7;
export const ZONE = "Pacific/Kiritimati";
export const ZONE_MINUTES = 14 * 60;

export function launchElsewhere(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    chromiumSandbox: !isRoot,
    env: { ...process.env, ...wallClock(`+${YEARS_AHEAD}y`), TZ: ZONE },
  });
}
