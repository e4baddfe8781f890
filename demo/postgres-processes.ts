import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const LOOK_MILLIS = 10;
/** A shutdown takes a tenth of a second. What is left then is ended by the kernel. */
const PATIENCE_MILLIS = 500;

interface PostgresProcess {
  readonly pid: number;
  readonly isPostmaster: boolean;
}

/**
 * Ends all processes of the PostgreSQL in this folder, whatever state they are in, and removes the folder. The server
 * may be stopped (SIGSTOP), and its processes may have been left behind by a postmaster that was killed. Its
 * `cluster_name` is the name of the folder, which makes all of them known by their titles.
 */
export async function removePostgres(folder: string): Promise<void> {
  for (const _ of ending(folder)) await wait(LOOK_MILLIS);
  remove(folder);
}

/** The same in one go, for a process that exits. */
export function removePostgresSync(folder: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (const _ of ending(folder)) Atomics.wait(clock, 0, 0, LOOK_MILLIS);
  remove(folder);
}

/** Yields for as long as processes are left. */
function* ending(folder: string): Generator<void> {
  const startedAt = performance.now();
  let left = processesOf(folder);
  // Orphans have nothing to save, and may not notice for long that they are.
  if (left.some(({ isPostmaster }) => isPostmaster)) {
    for (const { pid, isPostmaster } of left) if (isPostmaster) send(pid, "SIGINT");
    for (const { pid } of left) send(pid, "SIGCONT");
    while (left.length > 0 && performance.now() - startedAt < PATIENCE_MILLIS) {
      yield;
      left = processesOf(folder);
    }
  }
  while (left.length > 0) {
    for (const { pid } of left) send(pid, "SIGKILL");
    yield;
    left = processesOf(folder);
  }
}

function processesOf(folder: string): PostgresProcess[] {
  const found: PostgresProcess[] = [];
  for (const [pid, command] of commands()) {
    if (!command.includes(basename(folder))) continue;
    const program = basename(command.split(/[\0 ]/, 1)[0] ?? "");
    if (command.startsWith("postgres: ")) found.push({ pid, isPostmaster: false });
    else if (program === "postgres" || program === "initdb") found.push({ pid, isPostmaster: true });
  }
  return found;
}

/** Process ids and command lines. Those of zombies are empty. */
function commands(): [number, string][] {
  if (process.platform === "linux") {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), commandOf(name)]);
  }
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,command="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line): [number, string][] => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid && command ? [[Number(pid), command]] : [];
  });
}

function commandOf(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8");
  } catch {
    // It has ended since.
    return "";
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended since.
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
