import { expect, test } from "vitest";
import { type Gate, recycleCounts } from "../../src/watch/recycled-pools.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

/** A gate that holds callers who asked at these times. */
function gate(since: () => readonly number[]): Gate {
  return {
    get isClosed() {
      return since().length > 0;
    },
    get waiting() {
      return since().length;
    },
    waitingSince: (limit) => since().slice(0, limit),
  };
}

test("callers at the gate of a recycled pool wait, each since it asked", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const watchedSince = performance.now();
  await until(() => performance.now() - watchedSince > 100);
  const asked = performance.now();
  recycleCounts(pool).gate = gate(() => [asked, asked + 1]);
  const { waiting, oldestWaitSeconds } = await read(scope, "orders");
  expect(waiting).toBe(2);
  expect(oldestWaitSeconds).toBeLessThan(0.1);
  recycleCounts(pool).gate = undefined;
  expect(await read(scope, "orders")).toMatchObject({ waiting: 0, oldestWaitSeconds: 0 });
});

test("callers in the queue and callers at the gate are each counted once, oldest first", async () => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const before = performance.now();
  await until(() => performance.now() - before > 50);
  const queued = pool.connect();
  const queuedAt = performance.now();
  await until(() => performance.now() - queuedAt > 50);
  recycleCounts(pool).gate = gate(() => [before]);
  const { waiting, oldestWaitSeconds } = await read(scope, "orders");
  expect(waiting).toBe(2);
  expect(oldestWaitSeconds).toBeGreaterThan(0.1);
  recycleCounts(pool).gate = undefined;
  const left = await read(scope, "orders");
  expect(left.waiting).toBe(1);
  expect(left.oldestWaitSeconds).toBeGreaterThan(0.05);
  expect(left.oldestWaitSeconds).toBeLessThan(oldestWaitSeconds);
  client.release();
  (await queued).release();
});

test("a request waits when the gate is closed, although the pool has room", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  let isClosed = false;
  recycleCounts(pool).gate = {
    get isClosed() {
      return isClosed;
    },
    waiting: 0,
    waitingSince: () => [],
  };
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ requests: 1, waits: 0 });
  isClosed = true;
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ requests: 2, waits: 1, waiting: 0 });
});

test("a pool stalls as long as callers at the gate wait and nothing moves", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const asked = performance.now();
  recycleCounts(pool).gate = gate(() => [asked - 60_000]);
  await until(() => performance.now() - asked > 30);
  const { stalledSeconds } = await read(scope, "orders");
  // Since the last release, not since the caller asked.
  expect(stalledSeconds).toBeGreaterThan(0.03);
  expect(stalledSeconds).toBeLessThan(30);
  recycleCounts(pool).gate = undefined;
});
