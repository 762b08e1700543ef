// libfaketime: a program that is started with it reads another wall clock. Never touches the clock that cannot be set.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const LIBRARIES = "/usr/lib";

/** The environment of a program whose wall clock is so far off, as in `+7y` and `-18h`. */
export function wallClock(offset: string): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: library(),
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    // Its remedy for old versions of glibc lets the threads of Chromium wait in circles.
    FAKETIME_FORCE_MONOTONIC_FIX: "0",
  };
}

/** Debian has a folder for each kind of machine. */
function library(): string {
  const found = readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, "faketime/libfaketime.so.1"))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error("make test installs libfaketime");
  return found;
}
