import { monitorEventLoopDelay } from "node:perf_hooks";
import type pg from "pg";
import { expect, test } from "vitest";
import { lifetimeMillis } from "../../src/recycling/lifetime.ts";
import { makeRecycled, openBackends, recordEvents } from "../support/recycled.ts";
import { until } from "../support/until.ts";

const LIMIT_SECONDS = 3;

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

test("idle connections are closed before their limit, one after the other, without a checkout", async () => {
  const { pool, closes } = makeRecycled(
    { max: 40 },
    { maxLifetimeSeconds: LIMIT_SECONDS, lifetimeJitter: 0.9 },
  );
  const lives = recordLives(pool);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await openBackends(pool, 40);
  // On a busy machine the shortest lives are over by now: their clients were closed as they were returned.
  const events = recordEvents(pool);
  const levels = new Set<number>();
  pool.on("remove", () => levels.add(pool.totalCount));
  await until(() => lives.length === 40);
  await until(() => levels.has(0));
  delay.disable();
  expect(new Set(events)).toEqual(new Set(["remove"]));
  expect(levels.size).toBeGreaterThan(5);
  // What the event loop was late is not the pool's.
  expect(Math.max(...lives)).toBeLessThan(LIMIT_SECONDS * 1_000 + delay.max / 1e6);
  expect(await closes()).toEqual({ lifetime: 40 });
});

/** Milliseconds from the opening of each connection to the pool's closing it, which may take the server a while. */
function recordLives(pool: pg.Pool): number[] {
  const lives: number[] = [];
  pool.on("connect", (client) => {
    const bornAt = performance.now();
    const end = client.end as (...given: unknown[]) => Promise<void>;
    client.end = (...given: unknown[]) => {
      lives.push(performance.now() - bornAt);
      return Reflect.apply(end, client, given);
    };
  });
  return lives;
}

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
