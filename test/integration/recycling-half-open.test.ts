/** Links that fall silent: nobody may wait for them. */
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { isOldestPg } from "../support/pg.ts";
import { makePool } from "../support/pools.ts";
import { makeRecycled, openBackends, recordEvents } from "../support/recycled.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const SERVED_WITHIN_MILLIS = 2_000;

async function timed<T>(work: Promise<T>): Promise<number> {
  const since = performance.now();
  await work;
  return performance.now() - since;
}

test("idle connections in a blackhole: callers and waiters are served within 2 s", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, recycling } = makeRecycled({ port: proxy.port, max: 3 }, { pingAfterIdleMillis: 20 });
  await openBackends(pool, 3);
  const since = performance.now();
  await until(() => performance.now() - since > 20);
  proxy.freeze();
  const waits = await Promise.all(Array.from({ length: 9 }, () => timed(pool.query("SELECT 1"))));
  console.log(`blackhole, idle: slowest of 9 callers ${Math.max(...waits).toFixed(0)} ms`);
  expect(Math.max(...waits)).toBeLessThan(SERVED_WITHIN_MILLIS);
  expect(recycling.pings).toBe(3);
});

test("a connection in a blackhole that is released to be closed: its waiter is served within 2 s", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, closes } = makeRecycled({ port: proxy.port, max: 1, connectionTimeoutMillis: 5_000 });
  const client = await pool.connect();
  const events = recordEvents(pool);
  const waiter = pool.query("SELECT 1");
  proxy.freeze();
  client.release(true);
  const waited = await timed(waiter);
  console.log(`blackhole, released to be closed: ${waited.toFixed(0)} ms`);
  expect(waited).toBeLessThan(SERVED_WITHIN_MILLIS);
  await until(() => events.filter((event) => event === "remove").length === 1);
  expect(await closes()).toEqual({ released_with_error: 1 });
});

// Older pools do not wait for the goodbye.
if (!isOldestPg) {
  test("without recycling that waiter is not served at all", async () => {
    const proxy = await startProxy(inject("postgres").port);
    const pool = makePool({ port: proxy.port, max: 1, connectionTimeoutMillis: 2 * SERVED_WITHIN_MILLIS });
    const client = await pool.connect();
    const waiter = pool.query("SELECT 1");
    proxy.freeze();
    client.release(true);
    await expect(waiter).rejects.toThrow("timeout exceeded when trying to connect");
  });
}

test("a statement in a blackhole: given up by the client, its waiter is served within 2 s", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool } = makeRecycled({ port: proxy.port, max: 1, query_timeout: 300 });
  const client: pg.PoolClient = await pool.connect();
  const waiter = pool.query("SELECT 1");
  proxy.freeze();
  await expect(client.query("SELECT 1")).rejects.toThrow("Query read timeout");
  client.release();
  expect(await timed(waiter)).toBeLessThan(SERVED_WITHIN_MILLIS);
});

test("a rollback in a blackhole: its waiter is served within 2 s", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, closes } = makeRecycled({ port: proxy.port, max: 1 });
  const client = await pool.connect();
  await client.query("BEGIN");
  const waiter = pool.query("SELECT 1");
  proxy.freeze();
  client.release();
  expect(await timed(waiter)).toBeLessThan(SERVED_WITHIN_MILLIS);
  expect(await closes()).toEqual({ half_open: 1 });
});

test("an idle connection in a blackhole whose time is up says its goodbye to nobody, and is gone", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, closes } = makeRecycled({ port: proxy.port, max: 1, idleTimeoutMillis: 50 });
  await pool.query("SELECT 1");
  const events = recordEvents(pool);
  proxy.freeze();
  await until(() => events.includes("remove"));
  expect(await closes()).toEqual({ idle: 1 });
});
