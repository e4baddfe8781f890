import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { postmasterIn, serversIn } from "../support/postgres-leftovers.ts";

const STARTS_WITHIN_MILLIS = 60_000;

let folder: string;
let demo: ChildProcess;
let exited: Promise<unknown[]>;
let output: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poolscope-demo-"));
  await chmod(folder, 0o755);
});

afterEach(async () => {
  demo.kill("SIGKILL");
  await exited;
  await expect.poll(() => serversIn(folder), { timeout: STARTS_WITHIN_MILLIS }).toEqual([]);
  await rm(folder, { recursive: true });
}, STARTS_WITHIN_MILLIS);

test(
  "the demo shows clients held by hand, and leaves nothing behind after Ctrl-C",
  async () => {
    runDemo({ PORT: "0" });
    const origin = await printed(/http:\/\/127\.0\.0\.1:\d+/);
    const postgres = await postmasterIn(folder);

    const held = await fetch(`${origin}/demo/hold?pool=orders&clients=3&seconds=600`, { method: "POST" });
    expect(held.status).toBe(201);
    const orders = await (await fetch(`${origin}/health/database/orders`)).json();
    expect(orders).toMatchObject({ in_use: 3, pool_size: 4, max_overflow: 6, pending: 0 });
    expect(await (await fetch(`${origin}/metrics`)).text()).toMatch(
      /^db_client_connection_count\{[^}]*pool_name="orders"[^}]*state="used"[^}]*\} 3$/m,
    );

    demo.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(output).toMatch(/Stopping …\s*$/);
    expect(await serversIn(folder)).toEqual([]);
    expect(() => process.kill(postgres, 0)).toThrow("ESRCH");
  },
  STARTS_WITHIN_MILLIS,
);

test("holding by hand says what it expects", { timeout: STARTS_WITHIN_MILLIS }, async () => {
  runDemo({ PORT: "0" });
  const origin = await printed(/http:\/\/127\.0\.0\.1:\d+/);
  const hold = async (query: string) => {
    const response = await fetch(`${origin}/demo/hold?${query}`, { method: "POST" });
    return [response.status, await response.json()];
  };

  expect(await hold("pool=nobody&clients=1&seconds=1")).toEqual([
    400,
    { error: "pool must be one of: orders, reports" },
  ]);
  expect(await hold("pool=reports&clients=5&seconds=1")).toEqual([
    400,
    { error: "clients must be a whole number from 1 to 4" },
  ]);
  expect(await hold("pool=reports&clients=4")).toEqual([
    400,
    { error: "seconds must be a whole number from 1 to 600" },
  ]);
});

test("a port that is taken ends the demo with one message", { timeout: STARTS_WITHIN_MILLIS }, async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  runDemo({ PORT: String(port) });

  expect(await exited).toEqual([1, null]);
  expect(output).toBe(`The demo cannot start: port ${port} is taken; set PORT to another one, or to 0\n`);
  expect(await serversIn(folder)).toEqual([]);
  other.close();
});

function runDemo(env: NodeJS.ProcessEnv): void {
  output = "";
  demo = spawn(process.execPath, ["--import", "tsx", "demo/main.ts"], {
    env: { ...process.env, TMPDIR: folder, DEMO_LOAD: "off", ...env },
  });
  exited = once(demo, "close");
  for (const stream of [demo.stdout, demo.stderr]) stream?.on("data", (chunk) => (output += chunk));
}

async function printed(pattern: RegExp): Promise<string> {
  await expect.poll(() => output, { timeout: STARTS_WITHIN_MILLIS }).toMatch(pattern);
  return pattern.exec(output)?.[0] ?? "";
}
