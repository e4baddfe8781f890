import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { processesWith, serversIn } from "../support/postgres-leftovers.ts";
import { until } from "../support/until.ts";

const starter = fileURLToPath(new URL("../fixtures/postgres-starter.ts", import.meta.url));

interface Program {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly exited: Promise<unknown[]>;
  readonly output: () => string;
}

async function startProgram(how: string): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-starter-"));
  await chmod(folder, 0o755);
  const child = spawn(process.execPath, ["--import", "tsx", starter, how], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  return { child, folder, exited: once(child, "exit"), output: () => output };
}

test.each([
  ["exits", [3, null]],
  ["throws", [1, null]],
  ["ends", [3, null]],
] as const)("a process that %s keeps its exit code and leaves no data", async (how, ending) => {
  const { folder, exited } = await startProgram(how);
  expect(await exited).toEqual(ending);
  expect(await serversIn(folder)).toEqual([]);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "a process that started PostgreSQL dies of %s and leaves neither server nor data",
  async (signal) => {
    const { child, folder, exited, output } = await startProgram("waits");
    await until(() => output().includes("running"));
    const [server = ""] = await serversIn(folder);
    expect(processesWith(server).length).toBeGreaterThan(3);
    child.kill(signal);
    expect(await exited).toEqual([null, signal]);
    expect(await serversIn(folder)).toEqual([]);
    expect(processesWith(server)).toEqual([]);
  },
);
