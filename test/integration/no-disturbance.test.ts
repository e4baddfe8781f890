import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createNoopMeter } from "@opentelemetry/api";
import { expect, inject, test, vi } from "vitest";
import { Connection } from "../../src/watch/connection.ts";
import { Connections } from "../../src/watch/connections.ts";
import { Dials } from "../../src/watch/dials.ts";
import { Peak } from "../../src/watch/peak.ts";
import { Waiters } from "../../src/watch/waiters.ts";
import { CLOSED_PORT, makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const script = fileURLToPath(new URL("../fixtures/host-script.ts", import.meta.url));

interface Account {
  readonly exitCode: number;
  readonly lines: string[];
  /** What the process died of, without its paths and line numbers. */
  readonly lastWords: string[];
}

function run(mode: "bare" | "watched" | "recycled", scene: string): Promise<Account> {
  const server = JSON.stringify(inject("postgres"));
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", script, mode, scene, server],
      { timeout: 25_000, maxBuffer: 2 ** 24 },
      (_error, stdout, stderr) => {
        const lastWords = stderr
          .split("\n")
          .filter((line) => /^(\w*Error|error)\b|Emitted|triggerUncaught/.test(line));
        resolve({ exitCode: child.exitCode ?? -1, lines: stdout.trim().split("\n"), lastWords });
      },
    );
  });
}

test("an application sees the same results, errors, stacks and order of events: bare, watched and recycled", async () => {
  const [bare, watched, recycled] = await Promise.all([
    run("bare", "everything"),
    run("watched", "everything"),
    run("recycled", "everything"),
  ]);
  expect(bare).toMatchObject({ exitCode: 0, lastWords: [] });
  expect(bare.lines.length).toBeGreaterThan(80);
  expect(bare.lines.join("\n")).toContain("timeout exceeded when trying to connect");
  expect(watched).toEqual(bare);
  expect(recycled).toEqual(bare);
});

test("an application's queries, in every shape, give the same, watched or not", async () => {
  const [bare, watched] = await Promise.all([run("bare", "queries"), run("watched", "queries")]);
  expect(bare).toMatchObject({ exitCode: 0 });
  expect(bare.lines.length).toBeGreaterThan(70);
  expect(bare.lines.join("\n")).toContain("Query read timeout");
  expect(watched).toEqual(bare);
});

test.each([
  ["unhandled rejection", 1, "ECONNREFUSED"],
  ["unhandled rejection of a query", 1, "ECONNREFUSED"],
  ["callback that is none", 1, "is not a function"],
  ["unhandled rejection of a client's query", 1, "division by zero"],
  ["throwing callback of a query", 1, "thrown in a callback of a query"],
  ["failing stream without a listener", 1, "division by zero"],
  ["throwing callback", 1, "thrown in a callback"],
  ["idle client's error without a listener", 1, "terminating connection due to administrator command"],
  ["nothing keeps the process", 0, ""],
])("%s: the process ends as it would without poolscope", async (scene, exitCode, words) => {
  const [bare, watched, recycled] = await Promise.all([
    run("bare", scene),
    run("watched", scene),
    run("recycled", scene),
  ]);
  expect(bare.exitCode).toBe(exitCode);
  expect(bare.lastWords.join("\n")).toContain(words);
  expect(watched).toEqual(bare);
  expect(recycled).toEqual(bare);
});

const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

test("a mistake while watching is logged once and not noticed by the application", async () => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  Object.defineProperty(pool, "totalCount", {
    configurable: true,
    get() {
      throw new Error("out of order");
    },
  });
  const client = await pool.connect();
  client.release();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  Reflect.deleteProperty(pool, "totalCount");
  expect(pool).toMatchObject({ totalCount: 0, idleCount: 0, waitingCount: 0 });
  expect(logger.error.mock.calls).toEqual([
    ["orders - poolscope failed to follow the pool, its numbers may be off: out of order"],
  ]);
});

test.each<[what: string, part: object, method: string]>([
  ["a request that has to wait", Waiters.prototype, "enter"],
  ["how many wait", Peak.prototype, "raise"],
  ["a connection that is handed out", Connection.prototype, "handedOut"],
  ["a dial that begins", Dials.prototype, "started"],
  ["a dial that fails", Dials.prototype, "failed"],
  ["a connection that is open", Connections.prototype, "opened"],
  ["a connection that is released", Connections.prototype, "released"],
  ["a connection that breaks while idle", Connections.prototype, "lost"],
  ["a connection that is gone", Connections.prototype, "removed"],
])("a mistake about %s is logged once and not noticed by the application", async (_, part, method) => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const admin = makePool({ max: 1 });
  const orders = makePool({ max: 1 });
  orders.on("error", () => {});
  scope.watch(orders, { name: "orders" });
  const away = makePool({ port: CLOSED_PORT });
  scope.watch(away, { name: "away" });
  const mistake = vi.spyOn(part as Record<string, () => void>, method).mockImplementation(() => {
    throw new Error("out of order");
  });
  try {
    const [first, waiting] = [orders.connect(), orders.connect()];
    const client = await first;
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    client.release();
    (await waiting).release();
    await admin.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
    await until(() => orders.totalCount === 0);
    await expect(orders.query("SELECT 1/0")).rejects.toThrow("division by zero");
    expect((await orders.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await expect(away.query("SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await orders.end();
    expect(mistake).toHaveBeenCalled();
  } finally {
    mistake.mockRestore();
  }
  const told = logger.error.mock.calls.map(([message]) => String(message));
  const mistakes = told.filter((message) => message.includes("failed to follow the pool"));
  expect(mistakes.length).toBeGreaterThan(0);
  expect(mistakes).toEqual([...new Set(mistakes)]);
});

test("instruments of the application's provider that throw are logged once and not noticed by its queries", async () => {
  const logger = quiet();
  const record = () => {
    throw new Error("out of order");
  };
  const meter = Object.assign(createNoopMeter(), { createHistogram: () => ({ record }) });
  const reader = { collect: () => Promise.reject(new Error("none")) };
  const scope = makeScope({ logger, meterProvider: { getMeter: () => meter }, reader });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  (await pool.connect()).release();
  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  await pool.end();
  await scope.shutdown();
  expect(logger.error.mock.calls).toEqual([
    ["poolscope - the meter provider failed to record, times will be missing: out of order"],
  ]);
});
