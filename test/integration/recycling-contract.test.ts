/** What others see of a recycled pool. */
import type pg from "pg";
import { expect, test, vi } from "vitest";
import { PoolscopeError, recycle } from "../../src/index.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { makeRecycled, openBackends, processId } from "../support/recycled.ts";
import { until } from "../support/until.ts";

/** Every event with the pool's numbers at that moment. */
function account(pool: pg.Pool): string[] {
  const lines: string[] = [];
  for (const name of ["connect", "acquire", "release", "remove", "error"]) {
    pool.on(name as "release", (error) => {
      const failure = name === "release" && error instanceof Error ? ` ${error.message}` : "";
      lines.push(
        `${name}${failure} total=${pool.totalCount} idle=${pool.idleCount} waiting=${pool.waitingCount}`,
      );
    });
  }
  return lines;
}

async function dayInTheLife(pool: pg.Pool): Promise<string[]> {
  const lines = account(pool);
  const closed = async (total: number) => {
    await until(() => pool.totalCount === total);
    await until(() => lines.filter((line) => line.startsWith("remove")).length === opened() - total);
  };
  const opened = () => lines.filter((line) => line.startsWith("connect")).length;
  await pool.query("SELECT 1");
  await pool.query("SELECT 1");
  const held = await pool.connect();
  const waiter = pool.query("SELECT 1");
  held.release();
  await waiter;
  const client = await pool.connect();
  client.release(new Error("broken"));
  await closed(0);
  const doomed = await pool.connect();
  const pid = await processId(doomed);
  doomed.release();
  await makePool({ max: 1 }).query("SELECT pg_terminate_backend($1)", [pid]);
  await closed(0);
  await pool.query("SELECT 1");
  await pool.end();
  await closed(0);
  return lines;
}

test("the events, their order and the pool's numbers are a bare twin's, with a ping before each checkout", async () => {
  const bare = makePool({ max: 1, idleTimeoutMillis: 0 });
  const { pool, recycling } = makeRecycled({ max: 1 }, { pingAfterIdleMillis: 0 });
  const expected = await dayInTheLife(bare);
  expect(expected.length).toBeGreaterThan(20);
  expect(await dayInTheLife(pool)).toEqual(expected);
  // A waiter is given what was just released, without a ping.
  expect(recycling.pings).toBe(3);
});

test("stop leaves the pool as it was found, and the pool goes on", async () => {
  const pool = makePool({ max: 2 });
  const before = Object.getOwnPropertyNames(pool);
  const listeners = () => pool.eventNames().map((name) => [name, pool.listenerCount(name)]);
  const heard = listeners();
  const recycling = recycle(pool);
  expect(listeners()).toEqual(heard);
  await pool.query("SELECT 1");
  recycling.stop();
  recycling.stop();
  expect(Object.getOwnPropertyNames(pool)).toEqual(before);
  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  await until(() => pool.totalCount === 0);
  recycle(pool).stop();
});

test("stopping under a watch, and the other way round, leaves what is left at work", async () => {
  const { pool, scope, recycling } = makeRecycled({ max: 1 });
  await pool.query("SELECT 1");
  recycling.stop();
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 2 });

  const other = makeRecycled({ max: 1 });
  other.scope.watch(other.pool).unwatch();
  await other.pool.query("SELECT 1/0").catch(() => {});
  expect(other.pool.totalCount).toBe(1);
});

test("connections carry no listener of ours that would keep an application alive", async () => {
  const { pool } = makeRecycled({ max: 1 }, { pingAfterIdleMillis: 0 });
  await openBackends(pool, 1);
  const client = await pool.connect();
  expect(client.listenerCount("error")).toBe(0);
  client.release();
  expect(client.listenerCount("error")).toBe(1);
});

test("a pool is recycled once: equal options give the same recycling, others are refused", () => {
  const pool = makePool();
  const recycling = recycle(pool, { maxWaiting: 7, logger: console });
  expect(recycle(pool, { maxWaiting: 7 })).toBe(recycling);
  expect(() => recycle(pool)).toThrow(PoolscopeError);
  expect(() => recycle(pool)).toThrow("This pool is recycled already");
  recycling.stop();
  const again = recycle(pool);
  expect(again).not.toBe(recycling);
  again.stop();
});

test("numbers stay when recycling stops, and go on when it begins again", async () => {
  const { pool, recycling, exported } = makeRecycled({ max: 1 }, { pingAfterIdleMillis: 0 });
  await pool.query("SELECT 1");
  await pool.query("SELECT 1");
  recycling.stop();
  await pool.query("SELECT 1");
  const again = recycle(pool, { pingAfterIdleMillis: 0 });
  await pool.query("SELECT 1");
  again.stop();
  expect((await exported()).value("orders", "poolscope_pool_pings_total")).toBe(2);
});

test.each(["poolscope", "off"] as const)(
  "a pool that is not recycled has no pings, queries: %s",
  async (queries) => {
    const pool = makePool();
    const scope = makeScope({ queries });
    scope.watch(pool, { name: "orders" });
    const { scrape } = await import("../support/exported.ts");
    const metrics = await scrape(scope);
    for (const name of ["pings", "ping_failures", "rejected"]) {
      expect(metrics.value("orders", `poolscope_pool_${name}_total`)).toBe(0);
    }
  },
);

test("a mistake of ours is logged once, and the checkout goes on", async () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const { pool } = makeRecycled({ max: 1 }, { logger });
  await pool.query("SELECT 1");
  const [{ client }] = (pool as unknown as { _idle: [{ client: object }] })._idle;
  Object.defineProperty(client, "_ending", {
    configurable: true,
    get() {
      if (new Error().stack?.includes("judge")) throw new Error("out of order");
      return false;
    },
  });
  for (let query = 0; query < 3; query++) await pool.query("SELECT 1");
  Reflect.deleteProperty(client, "_ending");
  expect(logger.error.mock.calls).toEqual([
    ["poolscope - recycling made a mistake and left a connection alone: out of order"],
  ]);
});
