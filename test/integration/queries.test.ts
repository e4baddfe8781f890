import { once } from "node:events";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import pg from "pg";
import pgCopy from "pg-copy-streams";
import QueryStream from "pg-query-stream";
import { expect, inject, test } from "vitest";
import { MILLISECOND_BUCKETS } from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { isOldestPg } from "../support/pg.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { MIX_SIZE, prepareQueryMix, runQueryMix, tally } from "../support/query-mix.ts";

/** A database of its own, so that nothing else uses its tables. */
async function makeDatabase(): Promise<string> {
  const database = `mix_${process.pid}_${Date.now()}`;
  const client = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await client.connect();
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  return database;
}

test("a thousand queries of every shape: every count, error type and row is the truth", async () => {
  const scope = makeScope({ slowQueryMillis: 0 });
  const database = await makeDatabase();
  const pool = makePool({ database });
  const impatient = makePool({ database, query_timeout: 40 });
  const pipelined = isOldestPg ? undefined : makePool({ database, ...({ pipeline: true } as object) });
  await prepareQueryMix(pool);
  const idle = makePool();
  scope.watch(pool, { name: "mix" });
  scope.watch(impatient, { name: "impatient" });
  scope.watch(idle, { name: "idle" });
  if (pipelined) scope.watch(pipelined, { name: "pipelined" });

  const Query = (pool as unknown as { Client: { Query: never } }).Client.Query;
  const truth = await runQueryMix({ pool, impatient, pipelined, Query });

  expect(truth).toHaveLength(MIX_SIZE);
  const exported = await scrape(scope);
  const seen: Record<string, number> = {};
  let [duration, rowSum, rowCount] = [0, 0, 0];
  for (const { name, labels, value } of exported.all) {
    if (name === "db_client_operation_duration_seconds_count") {
      const key = `${labels["db_operation_name"] ?? "none"} ${labels["error_type"] ?? "ok"}`;
      seen[key] = (seen[key] ?? 0) + value;
      duration += value;
    }
    if (name === "db_client_response_returned_rows_sum") rowSum += value;
    if (name === "db_client_response_returned_rows_count") rowCount += value;
  }
  expect(seen).toEqual(tally(truth));
  expect(duration).toBe(MIX_SIZE);
  const withRows = truth.filter(({ rows }) => rows !== undefined);
  expect(rowCount).toBe(withRows.length);
  expect(rowSum).toBe(withRows.reduce((sum, { rows = 0 }) => sum + rows, 0));

  const errorsByType: Record<string, number> = {};
  for (const { labels, value, name } of exported.all) {
    if (name !== "poolscope_query_errors_total" || value === 0) continue;
    const type = labels["error_type"] ?? "";
    errorsByType[type] = (errorsByType[type] ?? 0) + value;
  }
  const failures = truth.filter(({ errorType }) => errorType !== undefined);
  const expectedErrors: Record<string, number> = {};
  for (const { errorType = "" } of failures) expectedErrors[errorType] = (expectedErrors[errorType] ?? 0) + 1;
  expect(errorsByType).toEqual(expectedErrors);
  expect(await read(scope, "idle")).toMatchObject({ query: { count: 0 }, queryErrors: 0 });
  const reading = await read(scope, "impatient");
  expect(reading).toMatchObject({ query: { count: 8 }, queryErrorsByType: { query_timeout: 8 } });
});

let lock = Date.now() % 1e9;

/** A query that is under way for as long as it has to be. */
async function blocked(on: { query(text: string): Promise<unknown> }) {
  const key = ++lock;
  const holder = await makePool({ max: 1 }).connect();
  await holder.query(`SELECT pg_advisory_lock(${process.pid}, ${key})`);
  const since = performance.now();
  const running = on.query(`SELECT pg_advisory_lock(${process.pid}, ${key})`);
  const finish = () => holder.query(`SELECT pg_advisory_unlock(${process.pid}, ${key})`);
  return { running, since, finish };
}

test("clients opened before the watch are followed, and left as they were when it ends", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 2 });
  const early = await pool.connect();
  const watch = scope.watch(pool, { name: "late" });
  await early.query("SELECT 1");
  const { running, finish } = await blocked(early);
  await pool.query("SELECT 1");
  expect(await read(scope, "late")).toMatchObject({ query: { count: 2 } });
  expect(Object.hasOwn(early, "query")).toBe(true);
  watch.unwatch();
  expect(Object.hasOwn(early, "query")).toBe(false);
  await finish();
  await running;
  await early.query("SELECT 1");
  early.release();
});

test("what a client asks before it is handed out counts too: in listeners and in onConnect", async () => {
  const scope = makeScope();
  const pool = makePool({
    max: 1,
    ...(isOldestPg ? {} : { onConnect: (client) => client.query("SET search_path = public") }),
  });
  pool.on("connect", (client) => void client.query("SET application_name = 'x'"));
  scope.watch(pool, { name: "greeted" });
  await pool.query("SELECT 1");
  const exported = await scrape(scope);
  const count = (verb: string) =>
    exported.value("greeted", "db_client_operation_duration_seconds_count", { db_operation_name: verb });
  expect([count("SET"), count("SELECT")]).toEqual([isOldestPg ? 1 : 2, 1]);
});

test("a query counts when it is over, and its time is that until the answer", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "timed" });
  const { running, since, finish } = await blocked(await pool.connect());
  expect(await read(scope, "timed")).toMatchObject({ query: { count: 0 } });
  const atLeast = (performance.now() - since) / 1000;
  await finish();
  await running;
  const atMost = (performance.now() - since) / 1000;
  const { query } = await read(scope, "timed");
  expect(query?.count).toBe(1);
  expect(query?.sum).toBeGreaterThan(atLeast - 0.001);
  expect(query?.sum).toBeLessThan(atMost + 0.001);
});

test("a stream's time runs until it ends, however slowly it is read", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "streamed" });
  const client = await pool.connect();
  const stream = client.query(new QueryStream("SELECT generate_series(1, 300)", [], { batchSize: 100 }));
  const before = performance.now();
  let rows = 0;
  for await (const _row of stream) {
    if (++rows % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const elapsed = (performance.now() - before) / 1000;
  const { query } = await read(scope, "streamed");
  expect(query?.count).toBe(1);
  expect(query?.sum).toBeGreaterThan(0.05);
  expect(query?.sum).toBeLessThanOrEqual(elapsed + 0.005);
  client.release();
});

test("a COPY TO that is destroyed ends there, though the server never answers", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "copied" });
  const client = await pool.connect();
  const stream = client.query(
    pgCopy.to("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT"),
  );
  stream.on("error", () => {}); // When its connection is closed in the end.
  await once(stream, "readable");
  stream.destroy();
  await once(stream, "close");
  expect(await read(scope, "copied")).toMatchObject({ query: { count: 1 }, queryErrors: 0 });
  client.release(true);
});

test("in the application's own provider the numbers are the same", async () => {
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 3_600_000,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const scope = makeScope({ meterProvider, reader, queryDurationBuckets: MILLISECOND_BUCKETS });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "guest" });
  await pool.query("SELECT 1");
  await pool.query("SELECT generate_series(1, 7)");
  await pool.query("SELECT 1/0").catch(() => {});
  const exported = await scrape(scope);
  const value = (metric: string, labels = {}) => exported.value("guest", metric, labels);
  expect(value("db_client_operation_duration_seconds_count", { db_operation_name: "SELECT" })).toBe(3);
  expect(value("db_client_operation_duration_seconds_count", { error_type: "22012" })).toBe(1);
  expect(value("db_client_operation_duration_seconds_bucket", { le: "0.025" })).toBe(3);
  expect(value("db_client_response_returned_rows_sum")).toBe(8);
  expect(value("poolscope_query_errors_total", { error_type: "22012" })).toBe(1);
  expect(await read(scope, "guest")).toMatchObject({ query: { count: 3 }, queryErrors: 1 });
  await meterProvider.shutdown();
});

test("queryDurationBuckets are the bounds of the exported histogram", async () => {
  const scope = makeScope({ queryDurationBuckets: [0.001, 10] });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "bounds" });
  await pool.query("SELECT pg_sleep(0.01)");
  const exported = await scrape(scope);
  const bounds = exported.all
    .filter(({ name }) => name === "db_client_operation_duration_seconds_bucket")
    .map(({ labels, value }) => [labels["le"], value]);
  expect(bounds).toEqual([
    ["0.001", 0],
    ["10", 1],
    ["+Inf", 1],
  ]);
});

test('queries: "off" leaves clients alone, and nothing is claimed of queries', async () => {
  const scope = makeScope({ queries: "off" });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "off" });
  const client = await pool.connect();
  expect(Object.hasOwn(client, "query")).toBe(false);
  await client.query("SELECT 1");
  client.release();
  expect((await scrape(scope)).text).not.toMatch(/operation_duration|returned_rows|poolscope_query/);
  const reading = await read(scope, "off");
  for (const key of ["query", "queryErrors", "queryErrorsByType", "slowQueries"]) {
    expect(reading).not.toHaveProperty(key);
  }
});
