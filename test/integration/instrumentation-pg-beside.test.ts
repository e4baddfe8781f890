import { createRequire } from "node:module";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { poolscopeViews } from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { type Host, makeHost } from "../support/host.ts";
import { isOldestPg } from "../support/pg.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { prepareQueryMix, runQueryMix, tally } from "../support/query-mix.ts";
import { recordSpans } from "../support/tracing.ts";

const INSTRUMENTATION = "@opentelemetry/instrumentation-pg";
const DURATION = "db.client.operation.duration";

const takeSpans = recordSpans();
let instrumentation: PgInstrumentation;

beforeAll(() => {
  instrumentation = new PgInstrumentation();
  // Patches the pg and pg-pool that are loaded already.
  const require = createRequire(import.meta.url);
  require("pg");
  createRequire(require.resolve("pg"))("pg-pool");
});
afterAll(() => instrumentation.disable());

const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

function observeWith({ options }: Host): void {
  instrumentation.setMeterProvider(options.meterProvider);
}

const names = (metrics: readonly MetricData[] = []) => metrics.map(({ descriptor }) => descriptor.name);

test("with the views everything is counted once, nothing is said, and the spans stay", async () => {
  const host = makeHost(poolscopeViews());
  observeWith(host);
  const logger = quiet();
  const scope = makeScope({ ...host.options, logger });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const client = await pool.connect();
  await client.query("SELECT 2");
  await expect(client.query("SELECT 1/0")).rejects.toThrow("division by zero");
  client.release();

  expect(takeSpans().filter((name) => name.startsWith("pg.query"))).toEqual(
    Array(3).fill("pg.query:SELECT postgres"),
  );
  const collected = await host.collect();
  expect(names(collected[INSTRUMENTATION])).toEqual([]);
  expect(names(collected["poolscope"])).toContain(DURATION);
  expect(await read(scope, "orders")).toMatchObject({
    query: { count: 3 },
    queryErrorsByType: { "22012": 1 },
  });
  const exported = await scrape(scope);
  expect(exported.text.match(/^# TYPE db_client_operation_duration_seconds /gm)).toHaveLength(1);
  const counts = exported.all.filter(({ name }) => name === "db_client_operation_duration_seconds_count");
  expect(counts.map(({ value }) => value)).toEqual([2, 1]);
  expect(logger.warn).not.toHaveBeenCalled();
});

test("without the views one warning names what is counted twice and how to end it", async () => {
  const host = makeHost();
  observeWith(host);
  const logger = quiet();
  const scope = makeScope({ ...host.options, logger });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await scope.readings();
  expect(logger.warn).not.toHaveBeenCalled();
  await pool.query("SELECT 1");
  for (let time = 0; time < 3; time++) await scope.readings();
  await scrape(scope);
  expect(logger.warn.mock.calls).toEqual([
    [
      "poolscope - pools and queries are counted twice in this MeterProvider, by poolscope and by " +
        "@opentelemetry/instrumentation-pg: make it with { views: [...poolscopeViews()] }, which drops what the " +
        "latter counts and keeps its spans",
    ],
  ]);
  expect(names((await host.collect())[INSTRUMENTATION])).toContain(DURATION);
});

test("with queries: off its durations are kept, and poolscope exports none", async () => {
  const host = makeHost(poolscopeViews({ queries: "off" }));
  observeWith(host);
  const logger = quiet();
  const scope = makeScope({ ...host.options, logger, queries: "off" });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const collected = await host.collect();
  expect(names(collected[INSTRUMENTATION])).toEqual([DURATION]);
  expect(names(collected["poolscope"]).filter((name) => /operation|response|quer/.test(name))).toEqual([]);
  expect(await read(scope, "orders")).not.toHaveProperty("query");
  expect(logger.warn).not.toHaveBeenCalled();
});

test("with queries: off and no views the warning is of pools alone, and its recipe keeps the durations", async () => {
  const host = makeHost();
  observeWith(host);
  const logger = quiet();
  const scope = makeScope({ ...host.options, logger, queries: "off" });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await scope.readings();
  await scope.readings();
  expect(logger.warn.mock.calls).toEqual([
    [
      expect.stringMatching(
        /^poolscope - pools are counted twice .* \{ views: \[\.\.\.poolscopeViews\(\{ queries: "off" \}\)\] \}/,
      ),
    ],
  ]);
});

test("a thousand queries of every shape are the truth, whatever the instrumentation beside makes of them", async () => {
  observeWith(makeHost());
  const database = `beside_${process.pid}_${Date.now()}`;
  const admin = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  const scope = makeScope({ slowQueryMillis: 0 });
  const pool = makePool({ database });
  const impatient = makePool({ database, query_timeout: 40 });
  const pipelined = isOldestPg ? undefined : makePool({ database, ...({ pipeline: true } as object) });
  await prepareQueryMix(pool);
  for (const watched of [pool, impatient, ...(pipelined ? [pipelined] : [])]) scope.watch(watched);

  const Query = (pool as unknown as { Client: { Query: never } }).Client.Query;
  const truth = await runQueryMix({ pool, impatient, pipelined, Query });

  expect((await scrape(scope)).queries()).toEqual(tally(truth));
});

test("as the source it is refused while another PgInstrumentation has patched pg, which goes on", async () => {
  expect(() => makeScope({ queries: "instrumentation-pg" })).toThrow(
    expect.objectContaining({
      code: "POOLSCOPE_INVALID_OPTION",
      message:
        'Expected `queries` to be "poolscope", because another PgInstrumentation has patched pg, and would be torn ' +
        "off: take that one out of the OpenTelemetry set-up, or keep it beside poolscope with poolscopeViews(), got " +
        '`"instrumentation-pg"` (string)',
    }),
  );
  await makePool().query("SELECT 1");
  expect(takeSpans()).toContain("pg.query:SELECT postgres");
});
