import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { postmasterIn, processesWith, serversIn } from "../support/postgres-leftovers.ts";
import { until } from "../support/until.ts";

const STARTS_WITHIN_MILLIS = 60_000;
const ENDS_WITHIN_MILLIS = 2_000;

let folder: string;
let demo: ChildProcess;
let exited: Promise<unknown[]>;
let output: string;
let origin: string;

/** The demo under its own load, one client held within a transaction. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poolscope-demo-stop-"));
  await chmod(folder, 0o755);
  output = "";
  demo = spawn(process.execPath, ["--import", "tsx", "demo/main.ts"], {
    env: { ...process.env, TMPDIR: folder, PORT: "0" },
  });
  exited = once(demo, "exit");
  for (const stream of [demo.stdout, demo.stderr]) stream?.on("data", (chunk) => (output += chunk));
  origin = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0], STARTS_WITHIN_MILLIS);
  const hold = `${origin}/demo/hold?pool=orders&clients=1&seconds=600&begin=true`;
  expect((await fetch(hold, { method: "POST" })).status).toBe(201);
}, STARTS_WITHIN_MILLIS);

afterEach(async () => {
  demo.kill("SIGKILL");
  await exited;
  await until(async () => (await serversIn(folder)).length === 0, STARTS_WITHIN_MILLIS);
  await rm(folder, { recursive: true });
}, STARTS_WITHIN_MILLIS);

async function send(signal: NodeJS.Signals, which: "postmaster" | "all"): Promise<void> {
  const [server = ""] = await serversIn(folder);
  const pids = which === "all" ? processesWith(server) : [await postmasterIn(folder)];
  for (const pid of pids) process.kill(pid, signal);
}

/** Of the load. */
async function requestIsUnderWay(): Promise<void> {
  await until(async () => {
    const reports = await fetch(`${origin}/health/database/reports`);
    return ((await reports.json()) as { in_use: number }).in_use > 0;
  });
}

const cases: [string, () => Promise<unknown>][] = [
  ["is well", requestIsUnderWay],
  [
    "is stopped, all of it (SIGSTOP)",
    async () => {
      await requestIsUnderWay();
      await send("SIGSTOP", "all");
    },
  ],
  ["has its postmaster stopped (SIGSTOP)", () => send("SIGSTOP", "postmaster")],
  ["was shut down (SIGINT)", () => gone("SIGINT")],
  ["was shut down at once (SIGQUIT)", () => gone("SIGQUIT")],
  ["was killed (SIGKILL)", () => gone("SIGKILL")],
  [
    "lost the process that started it (SIGKILL)",
    async () => {
      const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(await postmasterIn(folder))], {
        encoding: "utf8",
      });
      process.kill(Number(stdout), "SIGKILL");
    },
  ],
  ["waits for its clients to end (SIGTERM)", () => send("SIGTERM", "postmaster")],
];

async function gone(signal: NodeJS.Signals): Promise<void> {
  const postmaster = await postmasterIn(folder);
  await send(signal, "postmaster");
  const [server = ""] = await serversIn(folder);
  await until(() => !processesWith(server).includes(postmaster));
}

test.each(cases)("the demo ends within 2 s and leaves nothing when its PostgreSQL %s", async (_what, act) => {
  const [server = ""] = await serversIn(folder);
  await act();
  const since = performance.now();
  demo.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(performance.now() - since).toBeLessThan(ENDS_WITHIN_MILLIS);
  expect(await serversIn(folder)).toEqual([]);
  expect(processesWith(server)).toEqual([]);
});
