/** What the rules of `alerts` make of a real pool on a real PostgreSQL. */
import express from "express";
import request from "supertest";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import type { Alert, AlertOptions, Poolscope, PoolscopeOptions } from "../../src/index.ts";
import { CLOSED_PORT, makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

/** Everything off but what a test is about. */
function only(alerts: AlertOptions): AlertOptions {
  return {
    usage: false,
    overflow: false,
    waiting: false,
    timeouts: false,
    leaks: false,
    connectFailures: false,
    slowQueries: false,
    stuck: false,
    down: false,
    eventLoop: false,
    ...alerts,
  };
}

function stage(alerts: AlertOptions, options: PoolscopeOptions = {}) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ sampleIntervalMillis: 20, logger, alerts, ...options });
  const told: Alert[] = [];
  const summaries: string[] = [];
  for (const event of ["alert", "alertResolved"] as const) {
    scope.on(event, (alert) => {
      told.push(alert);
      summaries.push(alert.summary);
    });
  }
  scope.watch(makePool({ max: 3 }), { name: "bystander" });
  return {
    scope,
    told,
    /** The next alert of this kind; it has one line in the log. */
    async next(rule: Alert["rule"], state: Alert["state"]): Promise<Alert> {
      const alert = await until(() => told.find((told) => told.rule === rule && told.state === state));
      told.splice(told.indexOf(alert), 1);
      const level = state === "firing" && alert.severity !== "info" ? "warn" : "info";
      const isOf = (line: string) => line === alert.summary;
      expect(logger[level].mock.calls.flat().filter(isOf)).toHaveLength(summaries.filter(isOf).length);
      expect(alert.pool).toBe("orders");
      expect(Object.isFrozen(alert)).toBe(true);
      return alert;
    },
  };
}

async function health(scope: Poolscope) {
  const { body } = await request(express().use(scope.health({ cacheMillis: 0 }))).get("/database/orders");
  return body.alerts;
}

const ignore = () => {};

test("usage: pending, firing, in health, resolved", async () => {
  const { scope, next, told } = stage(only({ usage: { forMillis: 200 } }));
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const clients = [await pool.connect(), await pool.connect()];
  const pending = await until(() => scope.alerts()[0]);
  expect(pending).toMatchObject({ pool: "orders", rule: "usage", state: "pending", value: 1 });
  expect(await health(scope)).toEqual([]);
  const fired = await next("usage", "firing");
  expect(fired).toMatchObject({ severity: "warning", value: 1, threshold: 0.8, since: pending.since });
  const { rule, severity, since, summary } = fired;
  expect(await health(scope)).toEqual([{ rule, severity, since, summary }]);
  expect(scope.alerts()).toEqual([fired]);
  for (const client of clients) client.release();
  expect(await next("usage", "resolved")).toMatchObject({
    resolution: "recovered",
    value: 0,
    threshold: 0.75,
  });
  expect(scope.alerts()).toEqual([]);
  expect(await health(scope)).toEqual([]);
  expect(told).toEqual([]);
});

test("waiting: by the age of the oldest waiter", async () => {
  const { scope, next } = stage(only({ waiting: { enterMillis: 100, leaveMillis: 50 } }));
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const waiter = pool.connect();
  const fired = await next("waiting", "firing");
  expect(fired.value).toBeGreaterThanOrEqual(0.1);
  expect(fired).toMatchObject({ threshold: 0.1 });
  expect(fired.summary).toMatch(
    /^orders - callers wait for long: 1 queued, the oldest for 0\.\d s \(total=1, used=1, idle=0, waiting=1, max=1\); raise max or shorten holds$/,
  );
  client.release();
  (await waiter).release();
  expect((await next("waiting", "resolved")).summary).toMatch(/^orders - nobody waits any more \(/);
});

test("timeouts: callers that gave up, until there are none for a window", async () => {
  const { scope, next } = stage(only({ timeouts: { windowMillis: 1_000 } }));
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  pool.options.connectionTimeoutMillis = 30;
  await Promise.all([pool.connect().catch(ignore), pool.connect().catch(ignore)]);
  const fired = await next("timeouts", "firing");
  expect(fired).toMatchObject({ severity: "error", threshold: 1 });
  expect(fired.summary).toMatch(
    /^orders - [12] callers? gave up within 1 s \(since the watch began [12] waiting, 0/,
  );
  client.release();
  expect((await next("timeouts", "resolved")).summary).toMatch(/^orders - no caller gave up within 1 s \(/);
});

test("leaks: while there are suspected ones", async () => {
  const { scope, next } = stage(only({ leaks: {} }), { leakAfterMillis: 50 });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  expect((await next("leaks", "firing")).summary).toBe(
    "orders - 1 suspected leak (total=1, used=1, idle=0, waiting=0, max=2); release connections in a finally block (leakAfterMillis=50)",
  );
  client.release();
  expect((await next("leaks", "resolved")).summary).toMatch(/^orders - no suspected leaks any more/);
});

test("connect failures that come and go", async () => {
  const { scope, next } = stage(only({ connectFailures: { enter: 2, leave: 1, windowMillis: 1_000 } }));
  const pool = makePool({ port: CLOSED_PORT, max: 2 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1").catch(ignore);
  await pool.query("SELECT 1").catch(ignore);
  expect((await next("connectFailures", "firing")).summary).toMatch(
    /^orders - 2 failed attempts to connect within 1 s/,
  );
  await next("connectFailures", "resolved");
});

test("slow queries: as many as were told to be too many", async () => {
  const { scope, next } = stage(only({ slowQueries: { enter: 3, leave: 1, windowMillis: 1_000 } }), {
    slowQueryMillis: 5,
  });
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
  await Promise.all(clients.map((client) => client.query("SELECT pg_sleep(0.02)")));
  const { summary } = await next("slowQueries", "firing");
  expect(summary).toMatch(
    /^orders - 3 slow queries within 1 s \(slowQueryMillis=5\); see scope\.slowQueries\(\)$/,
  );
  await next("slowQueries", "resolved");
});

test("a pool that ends, and one that is not watched any more, resolve what they had broken", async () => {
  const { scope, next } = stage(only({ usage: {} }));
  for (const leave of ["end", "unwatch"] as const) {
    const pool = makePool({ max: 1 });
    const watch = scope.watch(pool, { name: "orders" });
    const client = await pool.connect();
    await next("usage", "firing");
    if (leave === "unwatch") watch.unwatch();
    else {
      client.release();
      await pool.end();
    }
    expect(scope.alerts()).toEqual([]);
    const resolved = await next("usage", "resolved");
    expect(["unwatched", "recovered"]).toContain(resolved.resolution);
    if (leave === "unwatch")
      expect(resolved.summary).toMatch(/^orders - no longer watched; it was: usage high 100% \(/);
  }
});

test("a pool of the name of another begins with no alerts", async () => {
  const { scope, next, told } = stage(only({ usage: {} }));
  const [before, after] = [makePool({ max: 1 }), makePool({ max: 1 })];
  const watch = scope.watch(before, { name: "orders" });
  await before.connect();
  await next("usage", "firing");
  watch.unwatch();
  scope.watch(after, { name: "orders" });
  expect(told).toMatchObject([{ rule: "usage", state: "resolved", resolution: "unwatched" }]);
  expect(scope.alerts()).toEqual([]);
});

test("a sample that fails neither fires nor resolves", async () => {
  const { scope, next, told } = stage(only({ usage: {} }));
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const fired = await next("usage", "firing");
  const errors = vi.fn();
  Object.defineProperty(pool, "idleCount", {
    configurable: true,
    get() {
      errors();
      throw new Error("broken for a while");
    },
  });
  await until(() => errors.mock.calls.length > 5);
  expect(told).toEqual([]);
  expect(scope.alerts()).toEqual([fired]);
  Reflect.deleteProperty(pool, "idleCount");
  client.release();
  await next("usage", "resolved");
});

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

test("server stopped, and back: one alert, resolved once, a second time too", async () => {
  // The defaults.
  const { scope, next, told } = stage({});
  const { host, port, user, password } = server;
  const pool = makePool({ host, port, user, password, max: 3 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  for (let outage = 0; outage < 2; outage++) {
    await server.pause();
    for (let attempt = 0; attempt < 5; attempt++) await pool.query("SELECT 1").catch(ignore);
    const fired = await next("down", "firing");
    expect(fired).toMatchObject({ severity: "critical", value: 1, threshold: 1 });
    expect(fired.summary).toMatch(
      /^orders - server unreachable \(orders: 0\/3 in use; the server refuses connections \(/,
    );
    expect(await health(scope)).toMatchObject([{ rule: "down", severity: "critical" }]);
    await server.resume();
    await pool.query("SELECT 1");
    expect((await next("down", "resolved")).summary).toMatch(
      /^orders - no longer server unreachable \(orders: /,
    );
    expect(await health(scope)).toEqual([]);
  }
  // Nor are its failed attempts an alert of their own.
  expect(told).toEqual([]);
});
