import type pg from "pg";
import { expect, test } from "vitest";
import { lifetimeMillis } from "../../src/recycling/lifetime.ts";
import { makeRecycled, openBackends, recordEvents } from "../support/recycled.ts";
import { until } from "../support/until.ts";

test("a thousand lifetimes are spread over the last quarter, and none exceeds the limit", () => {
  const lives = Array.from({ length: 1_000 }, () => lifetimeMillis(3_600, 0.25) / 1000);
  expect(Math.max(...lives)).toBeLessThanOrEqual(3_600);
  expect(Math.min(...lives)).toBeGreaterThanOrEqual(2_700);
  const buckets = Array.from({ length: 10 }, () => 0);
  for (const life of lives) {
    const bucket = Math.min(9, Math.floor((life - 2_700) / 90));
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  console.log(`1,000 lifetimes, 2,700 to 3,600 s, by tenths: ${buckets.join(" ")}`);
  // A hundred are due in each; fifty or fewer would be five standard deviations off.
  for (const count of buckets) expect(count).toBeGreaterThan(50);
});

test("without jitter a life is the limit; without a limit it has no end", () => {
  expect(lifetimeMillis(60, 0)).toBe(60_000);
  expect(lifetimeMillis(0, 0.25)).toBe(Number.POSITIVE_INFINITY);
});

test("idle connections are closed before their limit, one after the other, and nobody is told of a checkout", async () => {
  const { pool, closes } = makeRecycled({ max: 40 }, { maxLifetimeSeconds: 1, lifetimeJitter: 0.9 });
  const bornAt = new Map<pg.PoolClient, number>();
  const ages: number[] = [];
  pool.on("connect", (client) => bornAt.set(client, performance.now()));
  await openBackends(pool, 40);
  const events = recordEvents(pool);
  let before = pool.totalCount;
  const levels = new Set<number>();
  pool.on("remove", (client) => ages.push(performance.now() - bornAt.get(client as pg.PoolClient)!));
  await until(() => {
    before = pool.totalCount;
    levels.add(before);
    return before === 0;
  });
  await until(() => ages.length === 40);
  expect(new Set(events)).toEqual(new Set(["remove"]));
  expect(levels.size).toBeGreaterThan(5);
  expect(Math.max(...ages)).toBeLessThan(1_000);
  expect(await closes()).toEqual({ lifetime: 40 });
});

test("a connection in use is not cut: it is closed when it is released", async () => {
  const { pool, closes } = makeRecycled({ max: 1 }, { maxLifetimeSeconds: 1 });
  const client = await pool.connect();
  expect((await client.query("SELECT pg_sleep(1.2), 1 AS one")).rows).toMatchObject([{ one: 1 }]);
  const events = recordEvents(pool);
  expect(await closes()).toEqual({});
  client.release();
  await until(() => pool.totalCount === 0 && events.includes("remove"));
  expect(events).toEqual(["release", "remove"]);
  expect(await closes()).toEqual({ lifetime: 1 });
});

test("a failed statement does not lengthen a life", async () => {
  const { pool, closes } = makeRecycled({ max: 1 }, { maxLifetimeSeconds: 1 });
  await expect(pool.query("SELECT pg_sleep(1.2), 1/(SELECT 0)")).rejects.toThrow();
  expect(pool.totalCount).toBe(0);
  expect(Object.values(await closes())).toEqual([1]);
});
