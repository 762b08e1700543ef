// A browser whose machine believes that it is seven years later, fourteen hours ahead: libfaketime stands before its
// clock, so that `new Date()` is wrong of itself. Never changes the clock that cannot be set, by which browsers wait.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser } from "@playwright/test";
import { CHROMIUM, isRoot } from "./chromium.ts";

export const YEARS_AHEAD = 7;
export const ZONE = "Pacific/Kiritimati";
export const ZONE_MINUTES = 14 * 60;

const LIBRARIES = "/usr/lib";

export async function launchElsewhere(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    chromiumSandbox: !isRoot,
    env: {
      ...process.env,
      TZ: ZONE,
      LD_PRELOAD: faketime(),
      FAKETIME: `+${YEARS_AHEAD}y`,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      // Its remedy for old versions of glibc lets threads wait in circles here.
      FAKETIME_FORCE_MONOTONIC_FIX: "0",
    },
  });
}

/** Debian has a folder for each kind of machine. */
function faketime(): string {
  const found = readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, "faketime/libfaketime.so.1"))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error("make test installs libfaketime");
  return found;
}
