import type pg from "pg";
import { expect, test } from "vitest";
import type { SizeAdvice } from "../../src/index.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { exponential, quantileOf, seeded } from "../support/random.ts";
import { until } from "../support/until.ts";

// Times that a busy machine adds little to: what it adds is in the holds, and so in the advice, but not in the target.
const REQUESTS_PER_SECOND = 100;
const HOLD_SECONDS = 0.05;
const TARGET_WAIT_MILLIS = 50;
const REQUESTS = 400;
/** The window of an advice is six of them or more, and so most of a run. */
const SAMPLE_MILLIS = 500;

/** What the generator did, by its own clock. */
interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly meanHoldSeconds: number;
  readonly waitMillis: readonly number[];
  readonly gaveUp: number;
}

/**
 * Poisson arrivals, each of which sleeps on the server for an exponential time, and waits for no other.
 *
 * @param isEnough Whether {@link REQUESTS} were enough, or more are to come
 */
async function run(pool: pg.Pool, seed: number, isEnough = () => true): Promise<Load> {
  const random = seeded(seed);
  const waitMillis: number[] = [];
  const holdSeconds: number[] = [];
  let gaveUp = 0;
  const one = async (hold: number) => {
    const asked = performance.now();
    const client = await pool.connect().catch(() => undefined);
    if (!client) return void gaveUp++;
    const got = performance.now();
    waitMillis.push(got - asked);
    await client.query("SELECT pg_sleep($1)", [hold]);
    client.release();
    holdSeconds.push((performance.now() - got) / 1000);
  };
  const began = performance.now();
  const underway: Promise<void>[] = [];
  for (let due = began; underway.length < REQUESTS || !isEnough(); ) {
    due += exponential(random, 1000 / REQUESTS_PER_SECOND);
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    underway.push(one(exponential(random, HOLD_SECONDS)));
  }
  const requestsPerSecond = underway.length / ((performance.now() - began) / 1000);
  await Promise.all(underway);
  const meanHoldSeconds = holdSeconds.reduce((sum, hold) => sum + hold, 0) / holdSeconds.length;
  return { requests: underway.length, requestsPerSecond, meanHoldSeconds, waitMillis, gaveUp };
}

/** The same on a pool that is watched, until there is advice. */
async function advised(max: number, connectionTimeoutMillis: number) {
  const scope = makeScope({ sampleIntervalMillis: SAMPLE_MILLIS, targetWaitMillis: TARGET_WAIT_MILLIS });
  const pool = await warmPool(max);
  pool.options.connectionTimeoutMillis = connectionTimeoutMillis;
  scope.watch(pool, { name: "orders" });
  let advice: SizeAdvice | undefined;
  const load = await run(pool, 11, () => {
    advice = scope.history("orders").at(-1)?.advice;
    return advice !== undefined;
  });
  return { advice: advice as SizeAdvice, load, reading: await read(scope, "orders") };
}

/** Dials while nobody waits: the model knows no dials. */
async function warmPool(max: number): Promise<pg.Pool> {
  const pool = makePool({ max, idleTimeoutMillis: 0 });
  const clients = await Promise.all(Array.from({ length: max }, () => pool.connect()));
  for (const client of clients) client.release();
  return pool;
}

function expectWithin20Percent(value: number, truth: number): void {
  expect(value / truth).toBeGreaterThan(0.8);
  expect(value / truth).toBeLessThan(1.2);
}

/** How many times a machine that is busy with other things is given the chance to be as busy twice. */
const TIMES = 5;

test("the advice tells the load offered, and a pool of that size meets the target", async () => {
  for (let time = 1; ; time++) {
    const { advice, load } = await advised(20, 0);
    const { waitMillis, ...second } = await run(await warmPool(advice.recommendedSize), 12);
    // What the machine adds to the holds it has to add both times: the advice is for the load it saw.
    const isSameLoad = second.requestsPerSecond * second.meanHoldSeconds < 1.05 * advice.offeredLoad;
    if (!isSameLoad && time < TIMES) continue;
    expect(isSameLoad).toBe(true);
    expectAdvice(advice, load);
    expect(quantileOf(waitMillis, 0.95)).toBeLessThan(TARGET_WAIT_MILLIS);
    return;
  }
}, 120_000);

function expectAdvice(advice: SizeAdvice, load: Load): void {
  expectWithin20Percent(advice.requestsPerSecond, load.requestsPerSecond);
  expectWithin20Percent(advice.offeredLoad, load.requestsPerSecond * load.meanHoldSeconds);
  expect(advice).toMatchObject({ targetWaitMillis: TARGET_WAIT_MILLIS, isLowerBound: false });
  expect(advice.recommendedSize).toBeGreaterThan(advice.offeredLoad);
  expect(advice.recommendedSize).toBeLessThan(20);
  expect(advice.maxRequestsPerSecond).toBeGreaterThan(2 * load.requestsPerSecond); // with 20 connections
}

test("a saturated pool is told what was asked of it, not what it handed out", async () => {
  // Three connections carry three fifths of it; who has waited for 100 ms gives up.
  const { advice, load, reading } = await advised(3, 100);
  expect(load.gaveUp).toBeGreaterThan(80);
  expect(reading).toMatchObject({ requests: load.requests, checkouts: load.requests - load.gaveUp });
  expectWithin20Percent(advice.requestsPerSecond, load.requestsPerSecond);
  expectWithin20Percent(advice.offeredLoad, load.requestsPerSecond * load.meanHoldSeconds);
  expect(advice.recommendedSize).toBeGreaterThan(4);
  expect(advice.maxRequestsPerSecond).toBeLessThan(3 / load.meanHoldSeconds);
  expect(advice.isLowerBound).toBe(true);
});

test("there is no advice before enough was seen, without samples, and where the target is 0", async () => {
  const some = makeScope({ sampleIntervalMillis: 20 });
  const none = makeScope({ sampleIntervalMillis: 0 });
  const off = makeScope({ sampleIntervalMillis: 20, targetWaitMillis: 0 });
  const pool = makePool({ max: 5 });
  for (const scope of [some, none, off]) scope.watch(pool, { name: "orders" });
  const use = async (times: number) => {
    for (let at = 0; at < times; at++) await pool.query("SELECT 1");
  };
  await until(() => some.history("orders", 100).length > 6);
  await use(150);
  expect((await some.readings())[0]?.advice).toBeUndefined();
  await use(100);
  expect((await some.readings())[0]?.advice).toBeDefined();
  expect((await none.readings())[0]?.advice).toBeUndefined();
  expect((await off.readings())[0]?.advice).toBeUndefined();
});
