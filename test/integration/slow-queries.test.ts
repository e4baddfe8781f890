import type { Express } from "express";
import express from "express";
import request from "supertest";
import { expect, test, vi } from "vitest";
import type { PoolscopeOptions, SlowQuery } from "../../src/index.ts";
import { SlowGroups } from "../../src/queries/slow-groups.ts";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope, read } from "../support/pools.ts";

function watchSlow(options: PoolscopeOptions = {}) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ logger, slowQueryMillis: 20, ...options });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const events: SlowQuery[] = [];
  scope.on("slowQuery", (query) => events.push(query));
  return { scope, pool, events, lines: () => logger.warn.mock.calls.map(([line]) => line as string) };
}

test("a slow query is logged with what is known of it, and nothing of its data", async () => {
  const { scope, pool, events, lines } = watchSlow();
  await pool.query(
    "SELECT /* hidden */ pg_sleep(0.03), 'secret-text', $1::int\n FROM generate_series(1,  3) WHERE 4711 <> 1",
    [1234567],
  );
  await pool.query("SELECT 1");
  expect(events).toHaveLength(1);
  const sql = "SELECT pg_sleep(?), ?, ?::int FROM generate_series(?) WHERE ? <> ?";
  expect(events[0]).toMatchObject({ pool: "orders", rows: 3, operation: "SELECT", sql });
  expect(events[0]?.seconds).toBeGreaterThanOrEqual(0.03);
  expect(events[0]?.waitSeconds).toBeGreaterThan(0);
  expect(Object.isFrozen(events[0])).toBe(true);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatch(
    /^orders - slow query \d+ ms \(operation=SELECT, waited=[\d.]+ ms, rows=3, fingerprint=[0-9a-f]{16}, slowQueryMillis=20\): SELECT pg_sleep/,
  );
  expect(lines()[0]).toContain(sql);
  expect(lines().join()).not.toMatch(/secret|hidden|4711|1234567/);
  expect((await scrape(scope)).value("orders", "poolscope_query_slow_total")).toBe(1);
  expect(await read(scope, "orders")).toMatchObject({ slowQueries: 1 });
});

test("the place is told of a connection held by hand, and the failure of a query that failed", async () => {
  const { pool, events, lines } = watchSlow();
  const client = await pool.connect();
  await client.query("SET statement_timeout = 30");
  await client.query("SELECT pg_sleep(5)").catch(() => {});
  expect(events).toMatchObject([{ errorType: "57014", sql: "SELECT pg_sleep(?)" }]);
  expect(events[0]?.site).toMatch(/slow-queries\.test\.ts:\d+:\d+$/);
  expect(events[0]).not.toHaveProperty("rows");
  expect(lines()[0]).toMatch(/error=57014, site=\S*slow-queries\.test\.ts:\d+/);
});

test("one line for each fingerprint, then a count of what was swallowed", async () => {
  const { scope, pool, events, lines } = watchSlow();
  for (const n of [1, 2, 3, 4]) await pool.query(`SELECT pg_sleep(0.03), ${n}`);
  await pool.query("SELECT pg_sleep(0.03) AS other");
  expect(events).toHaveLength(5);
  expect(new Set(events.slice(0, 4).map(({ fingerprint }) => fingerprint)).size).toBe(1);
  expect(lines()).toHaveLength(2);
  await scope.shutdown();
  expect(lines()).toHaveLength(3);
  expect(lines()[2]).toMatch(
    /^orders - 3 more slow queries like fingerprint [0-9a-f]{16}, the slowest \d+ ms: SELECT pg_sleep\(\?\), \?$/,
  );
});

test("slowQueryMillis 0: no query is slow", async () => {
  const { scope, pool, events, lines } = watchSlow({ slowQueryMillis: 0 });
  await pool.query("SELECT pg_sleep(0.03)");
  expect([events, lines(), scope.slowQueries()]).toEqual([[], [], []]);
  expect((await scrape(scope)).value("orders", "poolscope_query_slow_total")).toBe(0);
});

test("slowQueries() groups by fingerprint, the most time together first", async () => {
  const { scope, pool } = watchSlow();
  const seconds = [0.03, 0.04, 0.06];
  for (const sleep of seconds) await pool.query(`SELECT pg_sleep(${sleep})`);
  await pool.query("SELECT pg_sleep(0.05) AS once");
  const groups = scope.slowQueries();
  expect(groups).toMatchObject([
    { pool: "orders", sql: "SELECT pg_sleep(?)", operation: "SELECT", count: 3 },
    { pool: "orders", sql: "SELECT pg_sleep(?) AS once", count: 1 },
  ]);
  const [first] = groups;
  expect(first?.p50Seconds).toBeGreaterThanOrEqual(0.04);
  expect(first?.p95Seconds).toBe(first?.maxSeconds);
  expect(first?.maxSeconds).toBeGreaterThanOrEqual(0.06);
  expect(first?.totalSeconds).toBeGreaterThanOrEqual(0.13);
  expect(scope.slowQueries(1)).toHaveLength(1);
  expect(() => scope.slowQueries(0)).toThrow("Expected `limit` to be a whole number from 1");
});

test("slow groups: quantiles of what was measured, of the running and the last window, then forgotten", () => {
  let now = 0;
  const groups = new SlowGroups(() => now);
  const slow = (seconds: number, fingerprint = "a"): SlowQuery => ({
    pool: "p",
    seconds,
    sql: "S",
    fingerprint,
  });
  for (let n = 1; n <= 100; n++) groups.add(slow(n));
  expect(groups.worst(10)).toMatchObject([{ count: 100, p50Seconds: 50, p95Seconds: 95, maxSeconds: 100 }]);
  now = 300_000;
  groups.add(slow(7));
  expect(groups.worst(10)).toMatchObject([{ count: 101, maxSeconds: 100 }]);
  now = 600_000;
  expect(groups.worst(10)).toMatchObject([{ count: 1, maxSeconds: 7 }]);
  now = 1_300_000;
  expect(groups.worst(10)).toEqual([]);
  // More fingerprints than are kept: the slower ones stay.
  for (let n = 1; n <= 300; n++) groups.add(slow(n, `f${n}`));
  const kept = groups.worst(1_000);
  expect(kept).toHaveLength(200);
  expect(kept[0]).toMatchObject({ maxSeconds: 300 });
  expect(kept.at(-1)).toMatchObject({ maxSeconds: 101 });
  groups.forget("p");
  expect(groups.worst(10)).toEqual([]);
});

test("the health JSON shows slow queries only where details are allowed", async () => {
  const { scope, pool } = watchSlow();
  await pool.query("SELECT pg_sleep(0.03), 'secret'");
  const app: Express = express();
  app.use("/never", scope.health());
  app.use("/always", scope.health({ details: "always" }));
  app.use("/asked", scope.health({ details: async (req) => req.headers["x-ops"] === "yes" }));
  app.use(
    "/failing",
    scope.health({
      details: () => {
        throw new Error("secret rule");
      },
    }),
  );
  app.use("/truthy", scope.health({ details: (() => "yes") as never }));
  const get = async (path: string, headers = {}) => (await request(app).get(path).set(headers)).body.pools[0];
  expect(await get("/never/database")).toMatchObject({ slow_queries: 1, query_seconds: { count: 1 } });
  for (const path of ["/never", "/failing", "/truthy", "/asked"]) {
    expect(await get(`${path}/database`), path).not.toHaveProperty("slowest_queries");
  }
  const shown = { slowest_queries: [{ sql: "SELECT pg_sleep(?), ?", operation: "SELECT", count: 1 }] };
  expect(await get("/always/database")).toMatchObject(shown);
  expect(await get("/asked/database", { "x-ops": "yes" })).toMatchObject(shown);
  expect((await request(app).get("/always/database/orders")).body).toMatchObject(shown);
  expect(() => scope.health({ details: "sometimes" as never })).toThrow(
    'Expected `details` to be "never", "always" or a function, got `"sometimes"` (string)',
  );
});
