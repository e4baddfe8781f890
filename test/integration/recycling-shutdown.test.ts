/** The beginning and the end of a pool, and the queue: warm, flush, drain, maxWaiting, coded timeouts. */
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { drain, flush, PoolscopeError, type PoolTimeout, warm } from "../../src/index.ts";
import { CLOSED_PORT, makePool, makeScope, read } from "../support/pools.ts";
import { makeRecycled, openBackends, processId, recordEvents } from "../support/recycled.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const minimum = (min: number, options: pg.PoolConfig = {}) => ({ max: 5, min, ...options }) as pg.PoolConfig;

test.each(["recycled", "bare"])(
  "warm opens min connections of a %s pool, and is no checkout",
  async (kind) => {
    const { pool, scope } = kind === "recycled" ? makeRecycled(minimum(3)) : watched(minimum(3));
    const events = recordEvents(pool);
    expect(await warm(pool)).toBe(3);
    expect(events).toEqual(["connect", "connect", "connect"]);
    expect(pool).toMatchObject({ totalCount: 3, idleCount: 3, waitingCount: 0 });
    expect(await read(scope, "orders")).toMatchObject({ connects: 3, checkouts: 0, idle: 3, used: 0 });
    expect(await warm(pool)).toBe(3);
    expect(await warm(pool, { connections: 5 })).toBe(5);
    await Promise.all(Array.from({ length: 5 }, () => pool.query("SELECT 1")));
    expect(events.filter((event) => event === "connect")).toHaveLength(5);
  },
);

function watched(options: pg.PoolConfig) {
  const pool = makePool({ idleTimeoutMillis: 0, ...options });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  return { pool, scope };
}

test("warm rejects with the error of the dial", async () => {
  await expect(warm(makePool(minimum(2, { port: CLOSED_PORT })))).rejects.toThrow(/ECONNREFUSED/);
});

test("flush replaces all connections, and nobody fails meanwhile", async () => {
  const { pool, closes } = makeRecycled({ max: 4 });
  const before = await openBackends(pool, 4);
  const held = [await pool.connect(), await pool.connect()];
  const asking = { isOver: false };
  const load = Array.from({ length: 4 }, async () => {
    while (!asking.isOver) await pool.query("SELECT 1");
  });
  expect(flush(pool)).toBe(4);
  for (const client of held) expect(before).toContain(await processId(client));
  for (const client of held) client.release();
  await until(async () => (await closes()).flushed === 4);
  asking.isOver = true;
  await Promise.all(load);
  for (const pid of await openBackends(pool, 4)) expect(before).not.toContain(pid);
  expect(await closes()).toEqual({ flushed: 4 });
});

test("drain waits for those who hold connections, and hands out none", async () => {
  const { pool, exported } = makeRecycled({ max: 2 });
  const held = [await pool.connect(), await pool.connect()];
  const queued = pool.connect();
  queued.catch(() => {});
  let isOver = false;
  const drained = drain(pool).then((report) => {
    isOver = true;
    return report;
  });
  await expect(queued).rejects.toMatchObject({ code: "POOLSCOPE_DRAINING" });
  await expect(pool.connect()).rejects.toThrow("Cannot use a pool after calling end on the pool");
  await held[0]?.query("SELECT 1");
  held[0]?.release();
  await until(() => pool.totalCount === 1);
  expect(isOver).toBe(false);
  held[1]?.release();
  expect(await drained).toEqual({ isClean: true, unreturned: [] });
  expect(pool.ended).toBe(true);
  const metrics = await exported();
  expect(metrics.value("orders", "poolscope_pool_connect_failures_total")).toBe(0);
  expect(metrics.value("orders", "poolscope_pool_closes_total", { reason: "pool_end" })).toBe(2);
});

test.each(["recycled", "bare"])("drain names those who did not return, and ends (%s)", async (kind) => {
  const { pool } = kind === "recycled" ? makeRecycled({ max: 2 }) : watched({ max: 2 });
  const client = await pool.connect();
  const pid = await processId(client);
  const running = client.query("SELECT pg_sleep(30)");
  running.catch(() => {});
  const report = await drain(pool, { timeoutMillis: 50 });
  expect(report).toMatchObject({
    isClean: false,
    unreturned: [{ processId: pid, site: expect.stringMatching(/recycling-shutdown\.test\.ts:\d+/) }],
  });
  expect(report.unreturned[0]?.heldSeconds).toBeGreaterThan(0.04);
  await expect(running).rejects.toThrow("Connection terminated");
  expect(pool.ended).toBe(true);
  const events = recordEvents(pool);
  client.release();
  expect(events).toEqual(["release"]);
});

test("drain ends in a blackhole too", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool } = makeRecycled({ port: proxy.port, max: 2 });
  const client = await pool.connect();
  await pool.query("SELECT 1");
  proxy.freeze();
  expect(await drain(pool, { timeoutMillis: 50 })).toMatchObject({ isClean: false, unreturned: [{}] });
  client.release();
  await until(() => proxy.connections === 0);
});

test("maxWaiting: one more is rejected at once, and counted as that and nothing else", async () => {
  const { pool, recycling, scope, exported } = makeRecycled({ max: 1 }, { maxWaiting: 2 });
  const client = await pool.connect();
  const waiting = [pool.query("SELECT 1"), pool.connect().then((next) => next.release())];
  const refused = await Promise.allSettled([
    pool.connect(),
    pool.query("SELECT 1"),
    new Promise((resolve, reject) => pool.connect((error) => (error ? reject(error) : resolve(0)))),
  ]);
  for (const outcome of refused as PromiseRejectedResult[]) {
    expect(outcome.reason).toBeInstanceOf(PoolscopeError);
    expect(outcome.reason).toMatchObject({
      code: "POOLSCOPE_TOO_MANY_WAITING",
      message: "2 callers wait for a connection already (maxWaiting=2, 1/1 connections open)",
    });
  }
  client.release();
  await Promise.all(waiting);
  await pool.query("SELECT 1");
  expect(recycling.rejected).toBe(3);
  expect(await read(scope, "orders")).toMatchObject({
    waits: 2,
    timeouts: 0,
    connectFailures: 0,
    checkouts: 4,
  });
  expect((await exported()).value("orders", "poolscope_pool_rejected_total")).toBe(3);
});

test("maxWaiting: 0 lets nobody wait", async () => {
  const { pool } = makeRecycled({ max: 1 }, { maxWaiting: 0 });
  const client = await pool.connect();
  await expect(pool.query("SELECT 1")).rejects.toMatchObject({ code: "POOLSCOPE_TOO_MANY_WAITING" });
  client.release();
  await pool.query("SELECT 1");
});

test("a timeout of a recycled pool is the error it was, with a code and the numbers", async () => {
  const { pool, scope } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  pool.options.connectionTimeoutMillis = 50;
  const [byPromise, byCallback, byQuery] = (await Promise.all([
    pool.connect().catch((error) => error),
    new Promise((resolve) => pool.connect((error) => resolve(error))),
    pool.query("SELECT 1").catch((error) => error),
  ])) as (Error & PoolTimeout)[];
  client.release();
  for (const error of [byPromise, byCallback, byQuery]) {
    expect(error?.constructor).toBe(Error);
    expect(error?.message).toBe("timeout exceeded when trying to connect");
    expect(error?.code).toBe("POOLSCOPE_WAIT_TIMEOUT");
    expect(error?.pool).toMatchObject({ total: 1, idle: 0, limit: 1 });
  }
  expect(await read(scope, "orders")).toMatchObject({ waitTimeouts: 3, dialTimeouts: 0 });
});

test("a dial that takes too long has a code of its own", async () => {
  const proxy = await startProxy(inject("postgres").port);
  proxy.blackhole();
  const { pool, scope } = makeRecycled({ port: proxy.port, max: 1, connectionTimeoutMillis: 50 });
  const error = await pool.connect().catch((reason) => reason);
  expect(error).toMatchObject({ code: "POOLSCOPE_DIAL_TIMEOUT", pool: { limit: 1 } });
  expect(await read(scope, "orders")).toMatchObject({ dialTimeouts: 1, waitTimeouts: 0 });
});

test.each([true, false])("a watched pool codes its timeouts only when asked: %s", async (codedTimeouts) => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders", codedTimeouts });
  const client = await pool.connect();
  pool.options.connectionTimeoutMillis = 50;
  const error = await pool.connect().catch((reason) => reason);
  client.release();
  expect(error.message).toBe("timeout exceeded when trying to connect");
  expect(error.code).toBe(codedTimeouts ? "POOLSCOPE_WAIT_TIMEOUT" : undefined);
  expect("pool" in error).toBe(codedTimeouts);
});
