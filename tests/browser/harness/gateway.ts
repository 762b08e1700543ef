// The real program as a process of its own, with a port and a store of its own, and its HTTP side to compare the page
// with. Never ends a process that it did not start, and leaves none behind.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { wallClock } from "./faketime.ts";
import { freezeProcess } from "./freezing.ts";
import type { Action, Answer, Command, State, System } from "../../../client/src/wire.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** Where cargo has put it; relative to the repository, as `make` runs there. */
const TARGET = resolve(ROOT, process.env["CARGO_TARGET_DIR"] ?? "target");
const BINARY = process.env["BROWSER_TESTS_BINARY"] ?? join(TARGET, "debug/acequia");

export interface SystemSetup {
  id: string;
  name?: string;
  timer_seconds?: number;
  manual_limit?: number;
}

export interface Setup {
  systems?: readonly SystemSetup[];
  /** `cors.allowed_origins`. */
  origins?: readonly string[];
  /** How far the wall clock of its machine is off, as in `-18h`. */
  clock?: string;
  /** Simulated fields and controllers, as in the demonstration. */
  simulated?: boolean;
  /** Where its store is, if it is not a file of its own. */
  store?: string | undefined;
}

export const NORTH: SystemSetup = { id: "north", name: "North field" };
export const ORCHARD: SystemSetup = { id: "orchard", name: "Orchard", timer_seconds: 15, manual_limit: 600 };
export const GREENHOUSE: SystemSetup = { id: "greenhouse", name: "Greenhouse", timer_seconds: 5 };

export class Gateway {
  readonly port: number;
  readonly #folder: string;
  readonly #store: string | undefined;
  #process: ChildProcess;

  private constructor(folder: string, store: string | undefined, running: Running) {
    this.#folder = folder;
    this.#store = store;
    this.#process = running.process;
    this.port = running.port;
  }

  static async start(setup: Setup = {}): Promise<Gateway> {
    const { systems = [NORTH, ORCHARD, GREENHOUSE], origins = [], clock, simulated = false, store } = setup;
    const folder = await mkdtemp(join(tmpdir(), "acequia-browser-"));
    try {
      await writeFile(join(folder, "acequia.toml"), configuration(systems, origins));
      return new Gateway(folder, store, await run(folder, 0, { clock, simulated, store }));
    } catch (failure) {
      await rm(folder, { recursive: true });
      throw failure;
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  /** Again, on the same port and the same store; at another time where the wall clock of its machine is off. */
  async restart(clock?: string): Promise<void> {
    this.#process = (await run(this.#folder, this.port, { clock, simulated: false, store: this.#store })).process;
  }

  /** It is there, keeps its connections, and does nothing. */
  freeze(): void {
    freezeProcess(this.#process);
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async end(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }

  system(id: string): Promise<System> {
    return this.#ask<System>("GET", `/systems/${id}`);
  }

  async state(id: string): Promise<State> {
    return (await this.system(id)).state;
  }

  history(id: string, limit = 10): Promise<Action[]> {
    return this.#ask<Action[]>("GET", `/systems/${id}/history?limit=${limit}`);
  }

  /** As another person or a controller asks. */
  command(id: string, command: Command, parameters: { seconds?: number; by?: string } = {}): Promise<Answer> {
    const query = new URLSearchParams();
    if (parameters.seconds !== undefined) query.set("seconds", String(parameters.seconds));
    if (parameters.by !== undefined) query.set("by", parameters.by);
    return this.#ask<Answer>("POST", `/systems/${id}/${command}?${query.toString()}`);
  }

  async #ask<T>(method: string, path: string): Promise<T> {
    const response = await fetch(`${this.url}${path}`, { method });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
}

interface Running {
  process: ChildProcess;
  port: number;
}

interface HowToRun {
  clock: string | undefined;
  simulated: boolean;
  store: string | undefined;
}

/** Returns when it listens; port 0 lets the machine choose. */
async function run(folder: string, port: number, how: HowToRun): Promise<Running> {
  const { clock, simulated, store = `sqlite:${join(folder, "acequia.db")}` } = how;
  const config = join(folder, "acequia.toml");
  const listen = `127.0.0.1:${port}`;
  const flags = simulated ? ["--simulate"] : [];
  const child = spawn(BINARY, ["serve", "--config", config, "--store", store, "--listen", listen, ...flags], {
    cwd: folder,
    env: { ...environment(), ...(clock === undefined ? {} : wallClock(clock)) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const orphan = (): void => void child.kill("SIGKILL");
  process.on("exit", orphan);
  child.on("exit", () => process.off("exit", orphan));
  return { process: child, port: await listening(child) };
}

function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    child.on("error", reject);
    child.on("exit", () => {
      reject(new Error(`the gateway ended early: ${said.join("\n")}`));
    });
    if (child.stderr === null) throw new Error("its log is not a pipe");
    // It is read to the end: a pipe that nobody empties is not what the tests are about.
    createInterface(child.stderr).on("line", (line) => {
      said.push(line);
      const port = / on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

/** The program takes every name that begins with ACEQUIA_ for a setting of its own. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ACEQUIA_")));
}

/** What JSON writes, TOML reads: strings, numbers and lists of strings. */
function configuration(systems: readonly SystemSetup[], origins: readonly string[]): string {
  const table = (entries: object): string =>
    Object.entries(entries)
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
      .join("");
  const all = systems.map((system) => `[[systems]]\n${table(system)}`);
  return [`[cors]\n${table({ allowed_origins: origins })}`, ...all].join("\n");
}
