import { expect, inject, test } from "vitest";
import { flush, type PoolRecycling, recycle } from "../../src/index.ts";
import { type Exported, scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { openBackends, processId } from "../support/recycled.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

test.each(["watched first", "recycled first"])("every counter is what the test did (%s)", async (order) => {
  const proxy = await startProxy(inject("postgres").port);
  const pool = makePool({ port: proxy.port, max: 3, idleTimeoutMillis: 0 });
  const scope = makeScope();
  const options = {
    pingAfterIdleMillis: 0,
    pingTimeoutMillis: 50,
    failuresToFlush: 0,
    transactionAtRelease: "destroy",
    maxWaiting: 0,
  } as const;
  let recycling: PoolRecycling;
  if (order === "watched first") {
    scope.watch(pool, { name: "orders" });
    recycling = recycle(pool, options);
  } else {
    recycling = recycle(pool, options);
    scope.watch(pool, { name: "orders" });
  }
  const admin = makePool({ max: 1 });
  const did = { connects: 0, checkouts: 0, pings: 0, pingFailures: 0, rejected: 0 };
  const closed: Record<string, number> = {};
  const close = async (reason: string) => {
    closed[reason] = (closed[reason] ?? 0) + 1;
    await until(() => pool.totalCount === 0);
  };
  /** The pool is empty: a dial, and no ping. */
  const open = async () => {
    did.connects++;
    did.checkouts++;
    return pool.connect();
  };

  (await open()).release(true);
  await close("released_with_error");

  const inTransaction = await open();
  await inTransaction.query("BEGIN");
  inTransaction.release();
  await close("in_transaction");

  const killed = await open();
  const pid = await processId(killed);
  killed.release();
  await admin.query("SELECT pg_terminate_backend($1)", [pid]);
  await close("connection_lost");

  (await open()).release();
  flush(pool);
  await close("flushed");

  const silent = await open();
  silent.release();
  proxy.freeze();
  const fresh = await open(); // After a ping in vain.
  did.pings++;
  did.pingFailures++;
  closed["half_open"] = 1;

  fresh.release();
  (await pool.connect()).release(); // After a ping.
  did.pings++;
  did.checkouts++;

  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero"); // After a ping, and kept.
  did.pings++;
  did.checkouts++;

  await until(() => pool.idleCount === 1);
  const cut = pool.connect();
  did.pings++;
  did.pingFailures++;
  proxy.cut(); // During the ping.
  const last = await cut;
  did.connects++;
  did.checkouts++;
  closed["ping_failed"] = 1;
  last.release();

  const held = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
  did.pings++;
  did.connects += 2;
  did.checkouts += 3;
  await expect(pool.connect()).rejects.toMatchObject({ code: "POOLSCOPE_TOO_MANY_WAITING" });
  await expect(pool.query("SELECT 1")).rejects.toMatchObject({ code: "POOLSCOPE_TOO_MANY_WAITING" });
  did.rejected += 2;
  for (const client of held) client.release();

  const exported: Exported = await scrape(scope);
  const value = (name: string, labels = {}) =>
    exported.value("orders", `poolscope_pool_${name}_total`, labels);
  expect({
    connects: value("connects"),
    checkouts: value("checkouts"),
    pings: value("pings"),
    pingFailures: value("ping_failures"),
    rejected: value("rejected"),
    waits: value("waits"),
    connectFailures: value("connect_failures"),
  }).toEqual({ ...did, waits: 0, connectFailures: 0 });
  expect(recycling).toMatchObject({ pings: did.pings, pingFailures: did.pingFailures, rejected: 2 });
  const reasons = [...exported.text.matchAll(/poolscope_pool_closes_total\{.*reason="(\w+)"\} (\d+)/g)]
    .map(([, reason, count]) => [reason, Number(count)] as const)
    .filter(([, count]) => count > 0);
  expect(Object.fromEntries(reasons)).toEqual(closed);
  recycling.stop();
});

test("a pool that is pinged, flushed and drained without a scope works as well", async () => {
  const pool = makePool({ max: 2 });
  const recycling = recycle(pool, { pingAfterIdleMillis: 0 });
  await openBackends(pool, 2);
  await pool.query("SELECT 1");
  expect(flush(pool)).toBe(2);
  await pool.query("SELECT 1");
  await pool.end();
  expect(recycling).toMatchObject({ pings: 1, pingFailures: 0, rejected: 0 });
});
