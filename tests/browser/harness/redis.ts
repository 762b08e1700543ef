// A Redis of the test's own, Debian's, on a socket in a folder of its own and without a port. Never touches one that it
// did not start, and leaves none behind.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freezeProcess } from "./freezing.ts";

const BINARY = process.env["BROWSER_TESTS_REDIS"] ?? "/usr/bin/redis-server";

export class Redis {
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
  }

  static async start(): Promise<Redis> {
    const folder = await mkdtemp(join(tmpdir(), "acequia-redis-"));
    try {
      return new Redis(folder, await run(folder));
    } catch (failure) {
      await rm(folder, { recursive: true });
      throw failure;
    }
  }

  /** As `store` of a gateway. */
  get url(): string {
    return `redis+unix://${socketIn(this.#folder)}`;
  }

  /** It is there, keeps its connections, and answers nothing. */
  freeze(): void {
    freezeProcess(this.#process);
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async end(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await exited;
    }
    await rm(this.#folder, { recursive: true });
  }
}

function socketIn(folder: string): string {
  return join(folder, "redis.sock");
}

/** Returns when it listens. What it holds is lost with it. */
async function run(folder: string): Promise<ChildProcess> {
  const settings = ["--port", "0", "--unixsocket", socketIn(folder), "--dir", folder, "--save", "", "--daemonize", "no"];
  const child = spawn(BINARY, settings, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const orphan = (): void => void child.kill("SIGKILL");
  process.on("exit", orphan);
  child.on("exit", () => process.off("exit", orphan));
  await listening(child);
  return child;
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    child.on("error", reject);
    child.on("exit", () => {
      reject(new Error(`Redis ended early: ${said.join("\n")}`));
    });
    if (child.stdout === null) throw new Error("its log is not a pipe");
    createInterface(child.stdout).on("line", (line) => {
      said.push(line);
      if (line.includes("ready to accept connections")) resolve();
    });
  });
}
