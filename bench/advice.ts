/**
 * How good the size advice is: requests come at random (Poisson) and hold a connection for an exponential time. What the
 * advice says of the load is compared with what the generator did, and a pool of the size it recommends, and one with a
 * connection less, are then given such a load.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { poolscope, type SizeAdvice } from "poolscope";
import { exponential, seeded } from "../test/support/random.ts";
import type { Bench, Cell, Effort } from "./harness/bench.ts";
import { quantile } from "./harness/statistics.ts";
import { InstantServer } from "./support/instant-server.ts";

const LOADS = [
  { name: "60/s, held for 50 ms", perSecond: 60, holdMillis: 50 },
  { name: "120/s, held for 50 ms", perSecond: 120, holdMillis: 50 },
  { name: "300/s, held for 20 ms", perSecond: 300, holdMillis: 20 },
];
type Load = (typeof LOADS)[number];

const TARGET_WAIT_MILLIS = 50;
/** Large enough that nobody waits while the load is measured. */
const ROOMY = 40;
const SECONDS: Record<Effort, number> = { full: 12, quick: 6, smoke: 0.3 };
/** The advice looks at the last six samples or more. */
const SAMPLES = 8;

/** What the generator did, by its own clock. */
interface Done {
  readonly offered: number;
  readonly p95Millis: number;
}

export const advice: Bench = async ({ effort, progress }) => {
  const rows: { name: string; cells: readonly Cell[] }[] = [];
  const offs: number[] = [];
  for (const load of LOADS) {
    progress(load.name);
    const seconds = SECONDS[effort];
    const { done, given } = await watched(load, seconds);
    if (!given) {
      if (effort !== "smoke") throw new Error("there was no advice");
      continue;
    }
    const size = given.recommendedSize;
    const advised = await run(load, seconds, size, 2);
    const smaller = await run(load, seconds, size - 1, 2);
    offs.push(Math.abs(given.offeredLoad / done.offered - 1));
    const cells = [done.offered, given.offeredLoad, String(size), advised.p95Millis, smaller.p95Millis];
    rows.push({ name: load.name, cells });
  }
  const columns = ["offered load", "as advised", "size advised", "p95 wait ms with it", "with one less"];
  return {
    tables: [{ title: `So that 95 of 100 wait for ${TARGET_WAIT_MILLIS} ms at most`, columns, rows }],
    reached: { offeredLoad: Math.max(...offs) },
  };
};

async function watched(load: Load, seconds: number): Promise<{ done: Done; given: SizeAdvice | undefined }> {
  const scope = poolscope({
    sampleIntervalMillis: Math.max(10, Math.floor((1000 * seconds) / SAMPLES)),
    targetWaitMillis: TARGET_WAIT_MILLIS,
    processes: 0,
  });
  const done = await run(load, seconds, ROOMY, 1, (pool) => scope.watch(pool, { name: "orders" }));
  const given = scope.history("orders").at(-1)?.advice;
  await scope.shutdown();
  return { done, given };
}

async function run(
  { perSecond, holdMillis }: Load,
  seconds: number,
  max: number,
  seed: number,
  attach: (pool: pg.Pool) => void = () => {},
): Promise<Done> {
  const stream = () => new InstantServer() as never;
  const pool = new pg.Pool({ host: "127.0.0.1", stream, max, idleTimeoutMillis: 0 });
  const clients = await Promise.all(Array.from({ length: max }, () => pool.connect()));
  for (const client of clients) client.release();
  attach(pool);

  const random = seeded(seed);
  const [waits, holds]: [number[], number[]] = [[], []];
  const one = async (hold: number) => {
    const asked = performance.now();
    const client = await pool.connect();
    const got = performance.now();
    await sleep(hold);
    client.release();
    waits.push(got - asked);
    holds.push(performance.now() - got);
  };
  const underway: Promise<void>[] = [];
  const began = performance.now();
  for (let due = began; due - began < 1000 * seconds; ) {
    due += exponential(random, 1000 / perSecond);
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    underway.push(one(exponential(random, holdMillis)));
  }
  const elapsed = performance.now() - began;
  await Promise.all(underway);
  await pool.end();
  const held = holds.reduce((sum, hold) => sum + hold, 0);
  return { offered: held / elapsed, p95Millis: quantile(waits, 0.95) };
}
