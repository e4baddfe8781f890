import type pg from "pg";
import { expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";

const WAITED_SECONDS = 0.3;

test("what the callback of a pool.query without a connection does is measured from when it does it", async () => {
  const scope = makeScope();
  const [pool, other] = [makePool({ max: 1 }), makePool({ max: 1 })];
  scope.watch(pool, { name: "orders" });
  scope.watch(other, { name: "bystander" });
  const client = await pool.connect();
  (pool as unknown as { options: pg.PoolConfig }).options.connectionTimeoutMillis = WAITED_SECONDS * 1_000;

  const answer = await new Promise((resolve) => {
    pool.query("SELECT 1", (failure) => {
      client.query("SELECT 2", (error) => resolve({ failure, error }));
    });
  });
  await new Promise<void>((resolve) => {
    pool.query("SELECT 3", () => {
      client.release();
      resolve();
    });
  });

  expect(answer).toMatchObject({ failure: { message: expect.stringContaining("timeout") }, error: null });
  const exported = await scrape(scope);
  expect(exported.value("orders", "db_client_operation_duration_seconds_count")).toBe(1);
  expect(exported.value("orders", "db_client_operation_duration_seconds_sum")).toBeLessThan(WAITED_SECONDS);
  expect(exported.value("orders", "db_client_connection_use_time_seconds_sum")).toBeGreaterThan(
    2 * WAITED_SECONDS - 0.01,
  );
  expect(exported.value("bystander", "db_client_connection_use_time_seconds_count")).toBe(0);
});
