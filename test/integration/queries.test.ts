import pg from "pg";
import { expect, inject, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { isOldestPg } from "../support/pg.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { type ExpectedQuery, MIX_SIZE, prepareQueryMix, runQueryMix } from "../support/query-mix.ts";

/** A database of its own, so that nothing else uses its tables. */
async function makeDatabase(): Promise<string> {
  const database = `mix_${process.pid}_${Date.now()}`;
  const client = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await client.connect();
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  return database;
}

function tally(queries: readonly ExpectedQuery[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation = "none", errorType = "ok" } of queries) {
    const key = `${operation} ${errorType}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
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
