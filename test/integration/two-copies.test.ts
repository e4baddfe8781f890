import type pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type Poolscopes, twoCopies } from "../support/copies.ts";
import { makePool } from "../support/pools.ts";
import { until } from "../support/until.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function watch({ poolscope }: Poolscopes, pool: pg.Pool) {
  const scope = poolscope({ sampleIntervalMillis: 0, processes: 0, logger });
  scope.watch(pool, { name: "orders" });
  onTestFinished(() => scope.shutdown());
  return async () => {
    const [reading] = await scope.readings();
    if (!reading) throw new Error("no reading");
    return reading;
  };
}

function recycle({ recycle }: Poolscopes, pool: pg.Pool): void {
  const recycling = recycle(pool, { logger, transactionAtRelease: "destroy", pingAfterIdleMillis: 0 });
  onTestFinished(() => recycling.stop());
}

async function releaseInTransaction(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
}

test.each(["watched first", "recycled first"])(
  "a pool recycled by one copy and watched by another: %s",
  async (order) => {
    const [one, other] = twoCopies();
    expect(one.recycle).not.toBe(other.recycle);
    const pool = makePool({ max: 2, idleTimeoutMillis: 0 });
    let read: ReturnType<typeof watch>;
    if (order === "watched first") {
      read = watch(one, pool);
      recycle(other, pool);
    } else {
      recycle(other, pool);
      read = watch(one, pool);
    }
    for (let round = 0; round < 3; round++) await releaseInTransaction(pool);
    await pool.query("SELECT 1/0").catch(() => {});
    await pool.query("SELECT 1");
    // The connection of the statement that failed is looked at before the next one may have it.
    await until(async () => (await read()).used === 0);
    const { connects, closes, total, closesByReason } = await read();
    expect(closesByReason).toMatchObject({ in_transaction: 3, query_error: 0 });
    expect(closes).toBe(3);
    expect(connects - closes).toBe(total);
    expect(total).toBe(pool.totalCount);
  },
);

test("scopes of two copies see a pool alike, share its listeners, and leave it as it was", async () => {
  const [one, other] = twoCopies();
  const pool = makePool({ max: 2 });
  const before = { keys: Reflect.ownKeys(pool), connects: pool.listenerCount("connect") };
  const scopes = [one, other].map(({ poolscope }) =>
    poolscope({ sampleIntervalMillis: 0, processes: 0, logger }),
  );
  for (const scope of scopes) scope.watch(pool, { name: "orders" });
  expect(pool.listenerCount("connect")).toBe(before.connects + 1);
  const client = await pool.connect();
  await client.query("SELECT 1");
  for (const scope of scopes) {
    expect((await scope.readings())[0]).toMatchObject({
      checkouts: 1,
      used: 1,
      connects: 1,
      query: { count: 1 },
    });
  }
  await scopes[0]?.shutdown();
  client.release();
  expect((await scopes[1]?.readings())?.[0]).toMatchObject({ used: 0, use: { count: 1 } });
  await scopes[1]?.shutdown();
  expect(Reflect.ownKeys(pool)).toEqual(before.keys);
  expect(pool.listenerCount("connect")).toBe(before.connects);
});
