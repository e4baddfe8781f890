import { EventEmitter } from "node:events";
import pg from "pg";
import { expect, test } from "vitest";
import type { Poolscope } from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { collectGarbage } from "../support/garbage.ts";
import { pgOptions } from "../support/pg-options.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

/** As much of a client as pg-pool needs. */
class StubClient extends EventEmitter {
  readonly _queryable = true;
  readonly _ending = false;
  connect(done: () => void): void {
    process.nextTick(done);
  }
  query(_text: string, _values: unknown, done: (error: null, result: object) => void): void {
    process.nextTick(done, null, { rows: [] });
  }
  end(done?: () => void): void {
    if (done) process.nextTick(done);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Of what is still in use. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look++) {
    await nextTurn();
    collectGarbage();
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

/** Opens a connection and closes it, and drops the pool without ending it. */
async function useAndDrop(scope: Poolscope, name: string, options: object = {}): Promise<void> {
  const pool = new pg.Pool({ max: 1, Client: StubClient as never, ...options });
  scope.watch(pool, { name });
  (await pool.connect()).release(true);
  await nextTurn();
}

/** Pools on a real server, used, their connections closed when they were idle for a moment; nothing else refers to them. */
async function dropReal(
  count: number,
  attach: (pool: pg.Pool, at: number) => void,
): Promise<WeakRef<pg.Pool>[]> {
  const dropped: WeakRef<pg.Pool>[] = [];
  for (let at = 0; at < count; at++) {
    const pool = new pg.Pool(pgOptions({ max: 1, idleTimeoutMillis: 10 }));
    attach(pool, at);
    await pool.query("SELECT 1");
    await new Promise<void>((resolve) => pool.once("remove", () => resolve()));
    dropped.push(new WeakRef(pool));
  }
  return dropped;
}

async function expectCollected(pools: readonly WeakRef<pg.Pool>[]): Promise<void> {
  // One may still be in a register or on the stack.
  await until(async () => {
    await nextTurn();
    collectGarbage();
    return pools.filter((pool) => pool.deref() !== undefined).length <= 1;
  });
}

test("ten thousand pools made and dropped leave nothing behind, and nobody reads meanwhile", {
  timeout: 120_000,
}, async () => {
  const scope = makeScope();
  const round = async (count: number) => {
    for (let made = 0; made < count; made++) await useAndDrop(scope, `tenant-${made}`);
  };
  await round(500);
  const before = await heapBytes();
  await round(10_000);
  expect((await heapBytes()) - before).toBeLessThan(2_000_000);
});

test("pools dropped without end() are collected while they are sampled and scraped", async () => {
  const scope = makeScope({ sampleIntervalMillis: 10, leakAfterMillis: 50, nestedCheckouts: "warn" });
  const watches: unknown[] = [];
  const pools = await dropReal(20, (pool, at) => {
    watches.push(scope.watch(pool, { name: `tenant-${at}` }));
  });
  await scrape(scope);
  await expectCollected(pools);
  await until(async () => (await scope.readings()).length <= 1);
  // What the application holds of a watch does not keep the pool, and does nothing any more.
  expect(() => (watches[0] as { unwatch(): void }).unwatch()).not.toThrow();
});

test("pools dropped without end() are collected where load is shed, and watched by several scopes", async () => {
  const scopes = [makeScope(), makeScope()];
  scopes[0]?.shedLoad();
  const pools = await dropReal(10, (pool, at) => {
    for (const scope of scopes) scope.watch(pool, { name: `tenant-${at}` });
  });
  await expectCollected(pools);
});

test("a pool that is still used is watched on, whatever is collected", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  for (let round = 1; round <= 3; round++) {
    await nextTurn();
    collectGarbage();
    await pool.query("SELECT 1");
    expect(await scope.readings()).toMatchObject([{ pool: "orders", checkouts: round }]);
  }
});

test("ended pools are collected where nobody reads", async () => {
  const scope = makeScope();
  const pools: WeakRef<pg.Pool>[] = [];
  for (let at = 0; at < 10; at++) {
    const pool = new pg.Pool(pgOptions({ max: 1 }));
    scope.watch(pool, { name: `tenant-${at}` });
    await pool.query("SELECT 1");
    await pool.end();
    pools.push(new WeakRef(pool));
  }
  await expectCollected(pools);
});

test("the last counts of a dropped pool are exported, then its name is free", async () => {
  const scope = makeScope();
  const dropped = await dropReal(2, (pool, at) => void scope.watch(pool, { name: `tenant-${at}` }));
  await expectCollected(dropped);
  const name = await until(async () => {
    await nextTurn();
    collectGarbage();
    const watched = (await scope.readings()).map(({ pool }) => pool);
    return ["tenant-0", "tenant-1"].find((tenant) => !watched.includes(tenant));
  });
  const exported = await scrape(scope);
  expect(exported.value(name, "poolscope_pool_checkouts_total")).toBe(1);
  expect(exported.value(name, "db_client_connection_count", { db_client_connection_state: "idle" })).toBe(0);
  const successor = makePool();
  scope.watch(successor, { name });
  expect((await scrape(scope)).value(name, "poolscope_pool_checkouts_total")).toBe(0);
});

test("a hundred thousand dials refused by onConnect leave nothing behind", { timeout: 120_000 }, async () => {
  const pool = new pg.Pool({
    max: 1,
    Client: StubClient as never,
    onConnect: () => {
      throw new Error("a replica");
    },
  } as pg.PoolConfig);
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const refused = async (count: number) => {
    for (let dial = 0; dial < count; dial++) await pool.connect().catch(() => {});
  };
  await refused(20_000);
  const before = await heapBytes();
  await refused(100_000);
  expect((await heapBytes()) - before).toBeLessThan(2_000_000);
  const [reading] = await scope.readings();
  expect(reading).toMatchObject({ requests: 120_000, connectFailures: 120_000, connecting: 0, total: 0 });
});

test("clients of real dials refused by onConnect are collected", async () => {
  const refused: WeakRef<object>[] = [];
  const pool = makePool({
    max: 2,
    onConnect: (client: object) => {
      refused.push(new WeakRef(client));
      throw new Error("a replica");
    },
  } as pg.PoolConfig);
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  for (let dial = 0; dial < 50; dial++) await expect(pool.connect()).rejects.toThrow("a replica");
  await until(async () => {
    await nextTurn();
    collectGarbage();
    return refused.filter((client) => client.deref() !== undefined).length <= 2;
  });
  expect((await scope.readings())[0]).toMatchObject({ connecting: 0, total: 0, connectFailures: 50 });
});
