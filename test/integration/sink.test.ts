import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "../support/rules.ts";
import { until } from "../support/until.ts";

let sink: ChildProcess | undefined;
afterEach(async () => {
  if (!sink) return;
  const exited = once(sink, "exit");
  sink.kill("SIGTERM");
  await exited;
  sink = undefined;
});

async function start(): Promise<{ origin: string; output: () => string }> {
  sink = spawn(process.execPath, [join(ROOT, "alertmanager/sink.mjs")], {
    env: { ...process.env, PORT: "0", RUNBOOKS: join(ROOT, "prometheus/runbooks") },
  });
  let output = "";
  const note = (chunk: Buffer) => {
    output += chunk;
  };
  sink.stdout?.on("data", note);
  sink.stderr?.on("data", note);
  const origin = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]);
  return { origin, output: () => output };
}

const post = (url: string, body: string) => fetch(url, { method: "POST", body });

test("the sink prints one clean and bounded line for whatever it is sent", async () => {
  const { origin, output } = await start();
  const evil = "\u001b[2K\r\n2026-11-28 firing critical All is well\u202E";
  const labels = { alertname: evil, severity: evil };
  const annotations = { description: `${evil}${"x".repeat(100_000)}` };
  const alerts = [{ status: "firing", labels, annotations, startsAt: evil }];
  expect((await post(origin, JSON.stringify({ alerts }))).status).toBe(200);
  expect((await post(origin, `not JSON ${evil}`)).status).toBe(400);
  expect((await post(origin, JSON.stringify({ state: evil, rule: evil, summary: evil }))).status).toBe(200);
  await until(() => output().split("\n").length === 5);
  for (const line of output().split("\n")) {
    expect(line).not.toMatch(/[\p{Cc}\u202E]/u);
    expect(line).not.toMatch(/^2026/);
    expect(line.length).toBeLessThanOrEqual(2_001);
  }
});
