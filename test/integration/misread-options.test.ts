/** Pools whose options hold a password in the wrong place, and everything that a scope shows of them. */

import { Socket } from "node:net";
import express from "express";
import fc from "fast-check";
import pg from "pg";
import request from "supertest";
import { afterEach, expect, test, vi } from "vitest";
import { type Alert, type Poolscope, type PoolscopeOptions, recycle } from "../../src/index.ts";
import { type Connecting, connecting, MARKER, withEnvironment } from "../support/misread.ts";
import { otlpSink } from "../support/otlp-sink.ts";
import { makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const pools: pg.Pool[] = [];
afterEach(() => {
  // Not waited for: pg-pool waits for ever for a client whose port is no number.
  for (const pool of pools.splice(0)) void pool.end();
});

function stage(options: PoolscopeOptions = {}) {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const logger = { debug: note, info: note, warn: note, error: note };
  const alerts: Alert[] = [];
  const scope = makeScope({
    logger,
    sampleIntervalMillis: 50,
    stuckAfterMillis: 50,
    notifiers: [{ name: "test", notify: async (alert) => void alerts.push(alert) }],
    ...options,
  });
  return { scope, lines, alerts, logger };
}

/** Watched and asked once. @returns What the application got: its own error, which poolscope leaves as it is. */
function watch(scope: Poolscope, { options, environment }: Pick<Connecting, "options" | "environment">) {
  return withEnvironment(environment, () => {
    const pool = new pg.Pool({ connectionTimeoutMillis: 300, ...options });
    pool.on("error", () => {});
    pools.push(pool);
    const { name } = scope.watch(pool);
    const query = async () => pool.query("SELECT 1");
    return { pool, name, asked: query().then(String, (error: Error) => error.message) };
  });
}

/** All that can be asked of a scope, as text. */
async function everythingOf(scope: Poolscope): Promise<string[]> {
  const app = express()
    .use("/health", scope.health({ cacheMillis: 0, details: "always" }))
    .use("/metrics", scope.metrics());
  const seen: string[] = [];
  for (const path of ["/health", "/health/database?limit=5", "/health/ready?verbose=true", "/metrics"]) {
    const { text, headers } = await request(app).get(path);
    seen.push(text, JSON.stringify(headers));
  }
  seen.push(JSON.stringify(await scope.readings()), JSON.stringify(scope.alerts()));
  seen.push(await scope.connectionBudget().then(JSON.stringify, (error: Error) => error.stack ?? ""));
  return seen;
}

test("no password of misread options is in anything that a scope shows, logs or sends", async () => {
  const sink = await otlpSink();
  const cases = fc.sample(connecting, { numRuns: 240 });
  while (cases.length > 0) {
    const { scope, lines, alerts } = stage({ otlp: { url: sink.url, exportIntervalMillis: 200 } });
    const watched = cases.splice(0, 40).map((one) => watch(scope, one));
    await Promise.all(watched.map(({ asked }) => asked));
    await until(() => alerts.length > 0);
    const seen = await everythingOf(scope);
    await scope.shutdown();
    expect(seen.join("\n")).toContain(watched[0]?.name);
    for (const text of [...seen, ...lines, JSON.stringify(alerts)]) expect(text).not.toContain(MARKER);
    expect(lines.join("")).toContain("looks misread");
  }
  expect(sink.received.length).toBeGreaterThan(0);
  expect(JSON.stringify(sink.received)).not.toContain(MARKER);
});

test("a misread connection string is warned of once, without being quoted", async () => {
  const warn = vi.fn();
  const { scope, logger } = stage();
  Object.assign(logger, { warn });
  const pool = new pg.Pool({ connectionString: `host=127.0.0.1 port=1 password=${MARKER} dbname=shop` });
  pools.push(pool);
  expect(scope.watch(pool).name).toBe("pool");
  expect(scope.watch(pool).name).toBe("pool");
  const warnings = warn.mock.calls.flat();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^pool - the connection string looks misread: .*percent-encode/);
  expect(warnings[0]).not.toMatch(/127|dbname|shop/);
});

test("a pool with a name of its own has no labels of misread options, and the same warning", async () => {
  const { scope, lines } = stage();
  const pool = new pg.Pool({ database: `postgres://app:${MARKER}@db/shop`, host: "127.0.0.1", port: 1 });
  pools.push(pool);
  scope.watch(pool, { name: "orders" });
  expect(lines.join("\n")).toMatch(/^orders - the connection string looks misread/m);
  const metrics = (await everythingOf(scope)).join("\n");
  expect(metrics).toContain('server_address="127.0.0.1"');
  expect(metrics).not.toContain("db_namespace");
});

/** A socket to a host that DNS does not know, however long DNS takes to find that out. */
function unknown(host: string): Socket {
  const socket = new Socket();
  const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" });
  return Object.assign(socket, {
    connect() {
      setImmediate(() => socket.destroy(error));
      return socket;
    },
  });
}

test("the error of a server that cannot be asked quotes no misread host", async () => {
  const { scope } = stage();
  const host = `app:${MARKER}@db`;
  const { pool, asked } = watch(scope, { options: { host, stream: () => unknown(host) }, environment: {} });
  // The application's own error is pg's.
  expect(await asked).toContain(MARKER);
  const error = await scope.connectionBudget().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message: expect.stringMatching(/^the server cannot be asked \(E\w+\)/) });
  expect(JSON.stringify(error)).not.toContain(MARKER);
  expect((error as Error).stack).not.toContain(MARKER);
  expect(pool.totalCount).toBe(0);
});

test("recycling a pool with misread options logs no part of them", async () => {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const pool = new pg.Pool({ database: `password=${MARKER}`, host: "127.0.0.1", port: 1 });
  pools.push(pool);
  recycle(pool, { logger: { debug: note, info: note, warn: note, error: note }, idleLimitSeconds: 1 });
  await expect(pool.query("SELECT 1")).rejects.toThrow("ECONNREFUSED");
  expect(lines.join("\n")).not.toContain(MARKER);
});
