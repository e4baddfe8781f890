/** A process that has no CPU for a while, as between two requests of a function, or under SIGSTOP. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, inject, onTestFinished, test } from "vitest";
import { AwakeClock } from "../../src/watch/awake-clock.ts";
import type { FreezingAppConfig, FreezingAppResult } from "../fixtures/freezing-app.ts";
import { until } from "../support/until.ts";

const script = fileURLToPath(new URL("../fixtures/freezing-app.ts", import.meta.url));

function start(config: Omit<FreezingAppConfig, "postgres">) {
  const argument = JSON.stringify({ postgres: inject("postgres"), ...config });
  const child = spawn(process.execPath, ["--import", "tsx", script, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  return {
    child,
    ready: () => until(() => output.startsWith("ready\n"), 30_000),
    async result(): Promise<FreezingAppResult> {
      await once(child, "close");
      return JSON.parse(output.split("\n")[1] ?? "");
    },
  };
}

test("a process stopped for 4 s has no stall, no leak and no stuck pool", async () => {
  const app = start({ mode: "is stopped", pauseMillis: 4_000 });
  await app.ready();
  app.child.kill("SIGSTOP");
  const until4000 = performance.now() + 4_000;
  await until(() => performance.now() > until4000, 10_000);
  app.child.kill("SIGCONT");
  const result = await app.result();
  expect(result).toMatchObject({ conditions: ["exhausted"], leaks: 0 });
  expect(result.alerts).not.toContain("eventLoop");
  expect(result.alerts).not.toContain("stuck");
  expect(result.alerts).not.toContain("leaks");
  expect(result.stalledSeconds).toBeLessThan(1.5);
  expect(result.lines.filter((line) => /stalled|stuck|leak/.test(line))).toEqual([]);
});

test("a process that works for 2 s without a pause has a stalled event loop", async () => {
  const app = start({ mode: "works", pauseMillis: 2_000 });
  const result = await app.result();
  expect(result.conditions).toContain("event_loop_stalled");
  expect(result.alerts).toContain("eventLoop");
});

test("the time of a process that is neither stopped nor at work passes as always", async () => {
  const clock = new AwakeClock(10);
  onTestFinished(() => clock.stop());
  const blocks: number[] = [];
  clock.onBlock((millis) => blocks.push(millis));
  const from = performance.now();
  const since = clock.now();
  await until(() => performance.now() - from > 300);
  const to = performance.now();
  // The scheduler of a busy machine may freeze a process too.
  expect(clock.awakeMillis(from, to)).toBeGreaterThan((to - from) / 2);
  expect(clock.now() - since).toBeGreaterThan((to - from) / 2);
  expect(clock.awakeMillis(to, to)).toBe(0);
  expect(Math.max(0, ...blocks)).toBeLessThan(300);
});
