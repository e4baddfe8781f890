import type pg from "pg";
import { expect, test } from "vitest";
import type { CloseReason, Poolscope } from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

async function expectCloses(scope: Poolscope, reasons: Partial<Record<CloseReason, number>>): Promise<void> {
  const { closesByReason, closes, connects, total } = await read(scope, "orders");
  const all = Object.fromEntries(Object.keys(closesByReason).map((reason) => [reason, 0]));
  expect(closesByReason).toEqual({ ...all, ...reasons });
  expect(Object.keys(all)).toHaveLength(12);
  expect(closes).toBe(connects - total);
  const exported = await scrape(scope);
  for (const [reason, count] of Object.entries({ ...all, ...reasons })) {
    expect(exported.value("orders", "poolscope_pool_closes_total", { reason }), reason).toBe(count);
  }
  expect(exported.value("orders", "poolscope_pool_reuse_count")).toBe(closes);
}

function watched(options: pg.PoolConfig): { pool: pg.Pool; scope: Poolscope } {
  const pool = makePool({ idleTimeoutMillis: 0, ...options });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  return { pool, scope };
}

async function processId(client: pg.PoolClient): Promise<number> {
  return (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
}

test("lifetime: of an idle connection and of one in use", async () => {
  const { pool, scope } = watched({ max: 2, maxLifetimeSeconds: 0.1 as number });
  await pool.query("SELECT 1");
  const client = await pool.connect();
  await until(() => pool.expiredCount === 1);
  client.release();
  await expectCloses(scope, { lifetime: 1 });
  await pool.query("SELECT 1");
  await until(() => pool.totalCount === 0);
  await expectCloses(scope, { lifetime: 2 });
});

test("idle", async () => {
  const { pool, scope } = watched({ max: 2, idleTimeoutMillis: 20 });
  await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 1")]);
  await until(() => pool.totalCount === 0);
  await expectCloses(scope, { idle: 2 });
});

test("max uses; and how often each connection served", async () => {
  const { pool, scope } = watched({ max: 1, maxUses: 3 });
  for (let query = 0; query < 7; query++) await pool.query("SELECT 1");
  await expectCloses(scope, { max_uses: 2 });
  expect(await read(scope, "orders")).toMatchObject({ reuse: { count: 2, sum: 6 } });
});

test("query error and release with an error are told apart", async () => {
  const { pool, scope } = watched({ max: 2 });
  await expect(pool.query("SELECT 1/0")).rejects.toThrow();
  const client = await pool.connect();
  await expect(client.query("SELECT 1/0")).rejects.toThrow();
  client.release(new Error("do not trust it any more"));
  (await pool.connect()).release(true);
  await expectCloses(scope, { query_error: 1, released_with_error: 2 });
});

test("connection lost: while idle, during a pool.query, while held", async () => {
  const { pool, scope } = watched({ max: 3 });
  const admin = makePool({ max: 1 });
  const kill = (pid: number) => admin.query("SELECT pg_terminate_backend($1)", [pid]);

  const client = await pool.connect();
  const idlePid = await processId(client);
  client.release();
  await kill(idlePid);
  await until(() => pool.totalCount === 0);
  await expectCloses(scope, { connection_lost: 1 });

  const dying = pool.query("SELECT pg_sleep(10)").catch(() => {});
  const [holder] = await until(async () => {
    const holders = await scope.holders("orders");
    return holders[0]?.activity === "executing" ? holders : undefined;
  });
  await kill(holder?.processId ?? 0);
  await dying;
  await expectCloses(scope, { connection_lost: 2 });

  const held = await pool.connect();
  const broken = new Promise((resolve) => held.once("error", resolve));
  await kill(await processId(held));
  await broken;
  held.release();
  await expectCloses(scope, { connection_lost: 3 });
});

test("pool end: idle connections at once, held ones when they are released", async () => {
  const { pool, scope } = watched({ max: 3 });
  const held = await pool.connect();
  await pool.query("SELECT 1");
  const ended = pool.end();
  await expectCloses(scope, { pool_end: 1 });
  held.release();
  const exported = await scrape(scope);
  expect(exported.value("orders", "poolscope_pool_closes_total", { reason: "pool_end" })).toBe(2);
  expect(exported.value("orders", "poolscope_pool_reuse_count")).toBe(2);
  await ended;
});

test("other: a connection that `verify` refuses", async () => {
  const { pool, scope } = watched({
    max: 1,
    verify: (_client: unknown, done: (error?: Error) => void) => done(new Error("not fit")),
  } as pg.PoolConfig);
  await expect(pool.connect()).rejects.toThrow("not fit");
  await expectCloses(scope, { other: 1 });
});
