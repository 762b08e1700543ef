// A process that is there, keeps its connections, and does nothing: what a hung machine looks like from outside. Never
// freezes one that the test did not start.
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function freezeProcess(child: ChildProcess): void {
  child.kill("SIGSTOP");
  // A busy machine takes a moment to stop the last of its threads, in which it still answers.
  const began = performance.now();
  while (!isStopped(child.pid ?? 0)) {
    if (performance.now() - began > 5000) throw new Error(`${child.spawnfile} does not stop`);
  }
}

/** Every thread of it is. */
function isStopped(process: number): boolean {
  const threads = `/proc/${process}/task`;
  return readdirSync(threads).every((thread) => / T \d/.test(readFileSync(join(threads, thread, "stat"), "utf8")));
}
