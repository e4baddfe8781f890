import type { RequestListener } from "node:http";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import express from "express";
import request from "supertest";
import { expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope, read } from "../support/pools.ts";

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

function ownProvider() {
  const reader = new Reader();
  return { meterProvider: new MeterProvider({ readers: [reader] }), reader };
}

const SLOW = "SELECT pg_sleep(1.008)";

test.each([
  ["a provider of poolscope's", () => ({})],
  ["the application's provider", ownProvider],
])("one query of 1008 ms reads as itself in every quantile with %s", async (_, options) => {
  const scope = makeScope(options());
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query(SLOW);
  const { query, use, wait, create } = await read(scope, "orders");
  for (const one of [query, use, wait, create]) {
    expect(one?.count).toBe(1);
    expect([one?.p50, one?.p95, one?.p99]).toEqual([one?.sum, one?.sum, one?.sum]);
  }
  expect(query?.p50).toBeGreaterThan(1);
});

test("quantiles in the health JSON are those of the window, and exported buckets count what they bound", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const app = express().use("/health", scope.health({ details: () => true }) as RequestListener);
  for (let time = 0; time < 9; time++) await pool.query("SELECT 1");
  await pool.query("SELECT pg_sleep(0.2)");
  const { body } = await request(app).get("/health/database/orders");
  const { p50, p95, p99, sum } = body.query_seconds;
  expect(p50).toBeLessThan(sum / 2);
  expect([p95, p99]).toEqual([expect.closeTo(0.2, 0), p95]);
  expect(p95).toBeGreaterThan(0.2);
  expect(p95).toBeLessThan(sum);
  const exported = await scrape(scope);
  const bucket = (le: string) =>
    exported.value("orders", "db_client_operation_duration_seconds_bucket", { le });
  expect([bucket("0.1"), bucket("0.5"), bucket("+Inf")]).toEqual([9, 10, 10]);
});

test("quantiles count from the sample before", async () => {
  const scope = makeScope({ sampleIntervalMillis: 300 });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT pg_sleep(0.4)");
  const slow = () => scope.history("orders").some(({ query }) => (query?.p50 ?? 0) > 0.39);
  const quick = () => scope.history("orders").at(-1)?.query;
  await expect.poll(slow, { timeout: 10_000 }).toBe(true);
  await expect.poll(() => quick()?.count, { timeout: 10_000 }).toBe(0);
  await pool.query("SELECT 1");
  await expect.poll(() => (quick()?.p99 ?? 1) < 0.3, { timeout: 10_000 }).toBe(true);
});
