/** What is a deadlock of nested checkouts, and what is not. */
import type pg from "pg";
import { expect, test, vi } from "vitest";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

const STUCK_MILLIS = 200;

function stage(max = 1) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({
    nestedCheckouts: "warn",
    sampleIntervalMillis: 10,
    stuckAfterMillis: STUCK_MILLIS,
    logger,
  });
  const [orders, audit] = [makePool({ max }), makePool({ max: 1 })];
  scope.watch(orders, { name: "orders" });
  scope.watch(audit, { name: "audit" });
  const nested = vi.fn();
  scope.on("nestedCheckout", nested);
  const conditions = async (isOver: () => boolean) => {
    const seen = new Set<string>();
    await until(async () => {
      seen.add((await read(scope, "orders")).condition);
      return isOver();
    });
    return seen;
  };
  return { scope, orders, audit, nested, conditions };
}

test("a pool whose holders all wait for another one of it is deadlocked once that lasts", async () => {
  const { scope, orders } = stage(2);
  const nest = async () => {
    const outer = await orders.connect();
    await outer.query("SELECT 1");
    await new Promise((resolve) => setImmediate(resolve));
    const inner = await orders.connect().catch(() => undefined);
    inner?.release();
    outer.release();
  };
  orders.options.connectionTimeoutMillis = 1_500;
  const both = Promise.all([nest(), nest()]);
  const reading = await until(async () => {
    const now = await read(scope, "orders");
    return now.condition === "self_deadlock" ? now : undefined;
  });
  expect(reading.stalledSeconds).toBeGreaterThanOrEqual(STUCK_MILLIS / 1000);
  expect(reading).toMatchObject({ heldByWaiters: 2, deadlock: { pools: ["orders"] } });
  expect(await read(scope, "audit")).not.toHaveProperty("deadlock");
  await until(() => scope.alerts().some(({ rule, severity }) => rule === "stuck" && severity === "critical"));
  await both;
});

test("a flow begun while its holder's statement runs is not nested, and no deadlock", async () => {
  const { orders, nested, conditions } = stage();
  let isOver = false;
  const job = async () => {
    const client = await orders.connect();
    await client.query("SELECT 1");
    const working = client.query("SELECT pg_sleep(0.5)");
    const beside = (async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await orders.query("SELECT 1");
    })();
    await working;
    client.release();
    await beside;
    isOver = true;
  };
  const done = job();
  const seen = await conditions(() => isOver);
  await done;
  expect(seen).toContain("stuck");
  expect(seen).not.toContain("self_deadlock");
  expect(nested).not.toHaveBeenCalled();
});

test("a holder that goes on using its connection is in no deadlock with the flow it began", async () => {
  const { orders, conditions } = stage();
  let isOver = false;
  const job = async () => {
    const client = await orders.connect();
    await client.query("SELECT 1");
    const beside = (async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await orders.query("SELECT 1");
    })();
    await until(() => orders.waitingCount === 1);
    // Longer than it takes to be stuck, with pauses in which no statement runs.
    const since = performance.now();
    while (performance.now() - since < 3 * STUCK_MILLIS) {
      await client.query("SELECT 1");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    client.release();
    await beside;
    isOver = true;
  };
  const done = job();
  const seen = await conditions(() => isOver);
  await done;
  expect(seen).toContain("stuck");
  expect(seen).not.toContain("self_deadlock");
});

test("two flows side by side, of which one asks later, are no deadlock", async () => {
  const { orders, nested, conditions } = stage();
  let isOver = false;
  const job = async () => {
    const client = await orders.connect();
    await client.query("SELECT pg_sleep(0.4)");
    client.release();
  };
  const later = async () => {
    await until(() => orders.totalCount === 1 && orders.idleCount === 0);
    await orders.query("SELECT 1");
  };
  const done = Promise.all([job(), later()]).then(() => {
    isOver = true;
  });
  const seen = await conditions(() => isOver);
  await done;
  expect(seen).not.toContain("self_deadlock");
  expect(nested).not.toHaveBeenCalled();
});

test("two pools whose holders wait for each other's connections are a deadlock of both", async () => {
  const { scope, orders, audit, nested } = stage();
  orders.options.connectionTimeoutMillis = 2_000;
  audit.options.connectionTimeoutMillis = 2_000;
  let begun = 0;
  const both = async (first: pg.Pool, second: pg.Pool) => {
    const outer = await first.connect();
    await outer.query("SELECT 1");
    begun++;
    await until(() => begun === 2);
    const inner = await second.connect().catch(() => undefined);
    inner?.release();
    outer.release();
  };
  const done = Promise.all([both(orders, audit), both(audit, orders)]);
  const reading = await until(async () => {
    const now = await read(scope, "orders");
    return now.condition === "deadlock" ? now : undefined;
  });
  expect(reading.verdict).toMatch(
    /^orders: 1\/1 in use, 1 waiting \(oldest .*\); deadlock of orders and audit: every connection is held by a caller that waits for one of the other pool: ask for them in the same order everywhere/,
  );
  expect(await read(scope, "audit")).toMatchObject({ deadlock: { pools: ["audit", "orders"] } });
  await until(() => scope.alerts().some(({ rule, pool }) => rule === "stuck" && pool === "audit"));
  expect(nested).not.toHaveBeenCalled();
  await done;
});

test("a holder that waits for a pool of which a connection comes back is in no deadlock", async () => {
  const { scope, orders, audit } = stage();
  const working = await audit.connect();
  const nest = async () => {
    const outer = await orders.connect();
    await outer.query("SELECT 1");
    const inner = await audit.connect();
    inner.release();
    outer.release();
  };
  const nesting = nest();
  await until(() => audit.waitingCount === 1);
  const queued = orders.query("SELECT 1");
  const reading = await until(async () => {
    const now = await read(scope, "orders");
    return now.condition === "stuck" ? now : undefined;
  });
  expect(reading).not.toHaveProperty("deadlock");
  working.release();
  await Promise.all([nesting, queued]);
});
