import { createRequire } from "node:module";
import { trace } from "@opentelemetry/api";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import express from "express";
import pg from "pg";
import Cursor from "pg-cursor";
import request from "supertest";
import { expect, inject, test, vi } from "vitest";
import type { PoolscopeOptions } from "../../src/index.ts";
import { loadInstrumentation } from "../../src/queries/instrumentation-pg.ts";
import { scrape } from "../support/exported.ts";
import { makeHost } from "../support/host.ts";
import { isOldestPg } from "../support/pg.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { prepareQueryMix, runQueryMix, tally } from "../support/query-mix.ts";
import { recordSpans } from "../support/tracing.ts";

const takeSpans = recordSpans();
const querySpans = () => takeSpans().filter((name) => name.startsWith("pg.query"));

const makeSource = (options: PoolscopeOptions = {}) =>
  makeScope({ queries: "instrumentation-pg", ...options });
const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

async function makeDatabase(): Promise<string> {
  const database = `source_${process.pid}_${Date.now()}`;
  const admin = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  return database;
}

/** What the instrumentation lets go by: objects that submit themselves and have no callback. */
const UNSEEN = [
  "pg's Query, events",
  "cursor, read to its end",
  "cursor, closed early",
  "cursor, failing",
  "stream, read to its end",
  "stream, destroyed",
  "stream, failing",
  "stream, connection lost",
  "copy to",
  "copy from",
  "copy from, destroyed",
  "copy from, failing",
];
/** It assigns to the application's config, which throws. */
const BROKEN = ["frozen config that holds the callback"];

test("a thousand queries of every shape it sees: every count and error type is the truth", async () => {
  const scope = makeSource({ slowQueryMillis: 0 });
  const database = await makeDatabase();
  const pool = makePool({ database });
  const impatient = makePool({ database, query_timeout: 40 });
  const pipelined = isOldestPg ? undefined : makePool({ database, ...({ pipeline: true } as object) });
  await prepareQueryMix(pool);
  scope.watch(pool, { name: "mix" });
  scope.watch(impatient, { name: "impatient" });
  if (pipelined) scope.watch(pipelined, { name: "pipelined" });

  const Query = (pool as unknown as { Client: { Query: never } }).Client.Query;
  const truth = await runQueryMix({ pool, impatient, pipelined, Query, skip: [...UNSEEN, ...BROKEN] });

  const exported = await scrape(scope);
  expect(exported.queries()).toEqual(tally(truth));
  const rows = exported.all.filter(({ name }) => name === "db_client_response_returned_rows_sum");
  expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(
    truth.reduce((sum, query) => sum + (query.rows ?? 0), 0),
  );
  const reading = await read(scope, "impatient");
  expect(reading).toMatchObject({ query: { count: 8 }, queryErrorsByType: { query_timeout: 8 } });
});

test("cursors, streams and queries heard by their events are not counted, nor do they disturb what is", async () => {
  const scope = makeSource();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const cursor = client.query(new Cursor("SELECT * FROM generate_series(1, 5)"));
  expect(await cursor.read(9)).toHaveLength(5);
  await client.query("SELECT 1");
  client.release();
  expect(await read(scope, "orders")).toMatchObject({ query: { count: 1 }, queryErrors: 0 });
});

test.each(["a tracer", "no tracer"])(
  "two pools on one database are told apart, and from clients of no watched pool, with %s",
  async (which) => {
    if (which === "no tracer") trace.disable();
    const scope = makeSource();
    const [orders, reports, unwatched] = [makePool(), makePool(), makePool()];
    scope.watch(orders, { name: "orders" });
    scope.watch(reports, { name: "reports" });
    const attempt = async (pool: pg.Pool, turn: number) => {
      const sql = turn % 3 === 0 ? "SELECT 1/0" : "SELECT 1";
      if (turn % 2 === 0) return pool.query(sql).catch(() => {});
      const client = await pool.connect();
      await client.query(sql).catch(() => {});
      client.release();
    };
    const turns = (pool: pg.Pool, count: number) =>
      Array.from({ length: count }, (_, turn) => attempt(pool, turn));
    await Promise.all([...turns(orders, 60), ...turns(unwatched, 50), ...turns(reports, 30)]);

    expect(await read(scope, "orders")).toMatchObject({
      query: { count: 60 },
      queryErrorsByType: { "22012": 20 },
    });
    expect(await read(scope, "reports")).toMatchObject({
      query: { count: 30 },
      queryErrorsByType: { "22012": 10 },
    });
    expect(querySpans()).toHaveLength(which === "a tracer" ? 140 : 0);
  },
);

test("errors reach the caller as they were, by promise, callback and throw, and are counted by type", async () => {
  const scope = makeSource();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await expect(client.query("SELECT * FROM nowhere")).rejects.toMatchObject({ code: "42P01" });
  const error = await new Promise((resolve) => client.query("SELECT * FROM nowhere", resolve));
  expect(error).toMatchObject({ code: "42P01" });
  expect(() => client.query(undefined as never)).toThrow(TypeError);
  client.release();
  const exported = await scrape(scope);
  expect(exported.value("orders", "poolscope_query_errors_total", { error_type: "42P01" })).toBe(2);
  expect(exported.value("orders", "poolscope_query_errors_total", { error_type: "TypeError" })).toBe(1);
  const labels = { error_type: "42P01", db_operation_name: "SELECT", db_response_status_code: "42P01" };
  expect(exported.value("orders", "db_client_operation_duration_seconds_count", labels)).toBe(2);
});

test("labels are verbs and names, whatever the texts look like", async () => {
  const scope = makeSource({ queryName: ({ name }) => name as string | undefined });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const texts = [
    "SELECT\n1",
    "/* secret */ SELECT 2",
    "SELECT(3)",
    "-- secret\nselect 4",
    ";;SELECT\t5",
    "WITH one AS (SELECT 6) SELECT * FROM one",
  ];
  for (const text of texts) await pool.query(text);
  await pool.query({ name: "ping", text: "SELECT 7" });
  for (let index = 0; index < 50; index++) await pool.query(`gibberish${index}`).catch(() => {});
  const exported = await scrape(scope);
  expect(exported.queries()).toEqual({ "SELECT ok": texts.length + 1, "none 42601": 50 });
  const named = { db_query_summary: "ping" };
  expect(exported.value("orders", "db_client_operation_duration_seconds_count", named)).toBe(1);
  expect(exported.text).not.toMatch(/secret|gibberish/);
});

test("slow queries are in the log, an event, the summary and the health JSON, without their data", async () => {
  const logger = quiet();
  const scope = makeSource({ logger, slowQueryMillis: 20 });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const seen: unknown[] = [];
  scope.on("slowQuery", (query) => seen.push(query));
  const client = await pool.connect();
  await client.query("SELECT pg_sleep(0.05), 'secret'");
  client.release();
  await pool.query("SELECT 1");

  const expected = { pool: "orders", operation: "SELECT", sql: "SELECT pg_sleep(?), ?" };
  expect(seen).toEqual([
    expect.objectContaining({
      ...expected,
      rows: 1,
      waitSeconds: expect.any(Number),
      site: expect.stringContaining("instrumentation-pg-source"),
    }),
  ]);
  expect(scope.slowQueries()).toEqual([expect.objectContaining({ ...expected, count: 1 })]);
  expect(logger.warn.mock.calls).toEqual([
    [expect.stringMatching(/^orders - slow query .*pg_sleep\(\?\), \?$/)],
  ]);
  const app = express().use("/health", scope.health({ details: "always" }));
  const { body } = await request(app).get("/health/database/orders");
  expect(body).toMatchObject({
    query_seconds: { count: 2 },
    slow_queries: 1,
    slowest_queries: [{ sql: expected.sql, count: 1 }],
  });
});

test("queries are put down to routes, those in the callback of another too", async () => {
  const scope = makeSource();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const app = express().use(scope.routes());
  app.get("/orders/:id", async (_request, response) => {
    const client = await pool.connect();
    client.query("SELECT 1", () => {
      client.query("SELECT 2", (_error, result) => {
        client.release();
        response.json(result.rows);
      });
    });
  });
  // The connection is there before the request, so that its socket is nobody's.
  await pool.query("SELECT 0");
  await request(app).get("/orders/7").expect(200);
  const exported = await scrape(scope);
  const route = { http_route: "/orders/:id" };
  expect(exported.value("orders", "poolscope_route_query_time_seconds_count", route)).toBe(2);
});

test("nothing but poolscope's own metrics comes of it, once", async () => {
  const host = makeHost();
  const logger = quiet();
  const scope = makeSource({ ...host.options, logger });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const collected = await host.collect();
  expect(Object.keys(collected)).toEqual(["poolscope"]);
  const durations = collected["poolscope"]?.filter(
    ({ descriptor }) => descriptor.name === "db.client.operation.duration",
  );
  expect(durations).toHaveLength(1);
  expect(durations?.[0]?.dataPoints).toHaveLength(1);
  expect(await read(scope, "orders")).toMatchObject({ query: { count: 1 }, checkouts: 1 });
  expect(logger.warn).not.toHaveBeenCalled();
});

test("shutdown takes the patch off, and another scope can put it on again", async () => {
  const pool = makePool();
  for (let turn = 0; turn < 2; turn++) {
    const scope = makeSource();
    scope.watch(pool, { name: "orders" });
    await pool.query("SELECT 1");
    const spans = ["pg-pool.connect", "pg.query:SELECT postgres"];
    expect(takeSpans()).toEqual(expect.arrayContaining(spans));
    expect(await read(scope, "orders")).toMatchObject({ query: { count: 1 } });
    await scope.shutdown();
    await pool.query("SELECT 1");
    expect(takeSpans()).toEqual([]);
  }
});

test("a second scope is refused, and the first one goes on", async () => {
  const scope = makeSource();
  expect(() => makeSource()).toThrow(
    expect.objectContaining({
      code: "POOLSCOPE_INVALID_OPTION",
      message:
        "Expected `queries` to be in one scope at a time, because it patches pg for the whole process: watch the pools " +
        'of both in one scope, got `"instrumentation-pg"` (string)',
    }),
  );
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ query: { count: 1 } });
});

test("a pool of another copy of pg is measured too, and its copy left as it was", async () => {
  const require = createRequire(import.meta.url);
  const Pool = require("pg-pool-3.6");
  const { Client } = require("pg-8.11");
  const { query, connect } = Client.prototype;
  const scope = makeSource();
  const pool = new Pool({ ...inject("postgres"), database: "postgres" }, Client);
  scope.watch(pool, { name: "old" });
  await pool.query("SELECT 1");
  expect(await read(scope, "old")).toMatchObject({ query: { count: 1 } });
  await scope.shutdown();
  await pool.end();
  expect(Client.prototype).toMatchObject({ query, connect });
});

test("a PgInstrumentation that takes pg over later is complained of", async () => {
  const logger = quiet();
  const scope = makeSource({ logger });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const other = new PgInstrumentation({ enabled: false });
  const [definition] = other.getModuleDefinitions();
  definition?.patch?.(pg);
  await pool.query("SELECT 1");
  await pool.query("SELECT 1");
  definition?.unpatch?.(pg);
  expect(logger.error.mock.calls).toEqual([
    [
      "orders - poolscope failed to follow the pool, its numbers may be off: @opentelemetry/instrumentation-pg does not " +
        "see its queries; is there another PgInstrumentation, or another class of clients?",
    ],
  ]);
});

test("without the package the refusal says what to install", () => {
  const missing = Object.assign(new Error("Cannot find module"), { code: "MODULE_NOT_FOUND" });
  const load = () =>
    loadInstrumentation(() => {
      throw missing;
    });
  expect(load).toThrow(
    expect.objectContaining({
      code: "POOLSCOPE_INVALID_OPTION",
      cause: missing,
      message:
        '`queries: "instrumentation-pg"` needs @opentelemetry/instrumentation-pg: npm install ' +
        "@opentelemetry/instrumentation-pg",
    }),
  );
});
