import fc from "fast-check";
import { expect, test } from "vitest";
import type { PoolReading, Poolscope } from "../../src/index.ts";
import { type Exported, scrape } from "../support/exported.ts";
import { PoolUnderTest } from "../support/pool-under-test.ts";
import { makeScope } from "../support/pools.ts";

/** What is true of a pool at this moment, in the names of the metrics. */
function truth(under: PoolUnderTest) {
  const { pool, held, queued } = under;
  const { max, min = 0 } = pool.options;
  const size = min > 0 ? min : max;
  const ended = pool.ended;
  return {
    idle: pool.idleCount,
    used: held.length,
    limit: ended ? 0 : max,
    idleMin: ended ? 0 : min,
    idleMax: ended ? 0 : max,
    pending: queued.length,
    waitTimeouts: under.waitTimeouts,
    dialTimeouts: 0,
    size: ended ? 0 : size,
    overflow: Math.max(0, held.length - size),
    checkedOut: held.length,
    utilization: ended ? 0 : held.length / max,
    connecting: 0,
    peakUsed: ended ? 0 : under.peakUsed,
    peakPending: ended ? 0 : under.peakWaiting,
    requests: under.requests,
    checkouts: under.checkouts,
    waits: under.waits,
    connects: under.opened,
    refused: under.refused,
    failures: under.refused,
    closes: under.closed,
    wait: under.checkouts,
    use: under.releases,
    create: under.opened,
  };
}

function exportedNumbers(exported: Exported, pool: string): ReturnType<typeof truth> {
  const value = (metric: string, labels?: Record<string, string>) =>
    exported.value(pool, metric, labels) as number;
  return {
    idle: value("db_client_connection_count", { db_client_connection_state: "idle" }),
    used: value("db_client_connection_count", { db_client_connection_state: "used" }),
    limit: value("db_client_connection_limit"),
    idleMin: value("db_client_connection_idle_min"),
    idleMax: value("db_client_connection_idle_max"),
    pending: value("db_client_connection_pending_requests"),
    waitTimeouts: value("db_client_connection_timeouts_total", { error_type: "wait_timeout" }),
    dialTimeouts: value("db_client_connection_timeouts_total", { error_type: "dial_timeout" }),
    size: value("poolscope_pool_size"),
    overflow: value("poolscope_pool_overflow"),
    checkedOut: value("poolscope_pool_checked_out"),
    utilization: value("poolscope_pool_utilization_ratio"),
    connecting: value("poolscope_pool_connecting"),
    peakUsed: value("poolscope_pool_peak_used"),
    peakPending: value("poolscope_pool_peak_pending"),
    requests: value("poolscope_pool_requests_total"),
    checkouts: value("poolscope_pool_checkouts_total"),
    waits: value("poolscope_pool_waits_total"),
    connects: value("poolscope_pool_connects_total"),
    refused: value("poolscope_pool_connect_failures_total", { error_type: "ECONNREFUSED" }),
    failures: value("poolscope_pool_connect_failures_total"),
    closes: value("poolscope_pool_closes_total"),
    wait: value("db_client_connection_wait_time_seconds_count"),
    use: value("db_client_connection_use_time_seconds_count"),
    create: value("db_client_connection_create_time_seconds_count"),
  };
}

function readNumbers(reading: PoolReading) {
  const { total, idle, used, waiting, connecting, requests } = reading;
  const { checkouts, waits, timeouts, connects, closes } = reading;
  return { total, idle, used, waiting, connecting, requests, checkouts, waits, timeouts, connects, closes };
}

/**
 * Every exported number of every pool, and every reading, against what the bystander knows. A collection looks at the
 * pools before it first waits, so what is true is noted right after it was called.
 */
async function expectTruth(scope: Poolscope, pools: readonly PoolUnderTest[]): Promise<void> {
  for (const pool of pools) await pool.settle();
  const scraped = scrape(scope);
  const truths = pools.map(truth);
  const exported = await scraped;
  pools.forEach(({ name }, index) => {
    expect(exportedNumbers(exported, name), name).toEqual(truths[index]);
  });

  const read = scope.readings();
  const expected = pools
    .filter(({ pool }) => !pool.ended)
    .map((under) => ({
      total: under.pool.totalCount,
      idle: under.pool.idleCount,
      used: under.held.length,
      waiting: under.queued.length,
      connecting: 0,
      requests: under.requests,
      checkouts: under.checkouts,
      waits: under.waits,
      timeouts: under.waitTimeouts,
      connects: under.opened,
      closes: under.closed,
    }));
  expect((await read).map(readNumbers)).toEqual(expected);
}

type Step = (pool: PoolUnderTest) => Promise<void>;

const STEPS: Record<string, Step> = {
  "connect by promise": (pool) => pool.connect(false),
  "connect by callback": (pool) => pool.connect(true),
  release: (pool) => pool.release(),
  "release with an error": (pool) => pool.release(new Error("broken")),
  query: (pool) => pool.query("SELECT 1"),
  "failing query": (pool) => pool.query("SELECT 1/0"),
  "time out": (pool) => pool.timeOut(),
};

function threePools(scope: Poolscope): PoolUnderTest[] {
  const pools = [
    new PoolUnderTest("orders", 2, false),
    new PoolUnderTest("reports", 3, false),
    new PoolUnderTest("down", 2, true),
  ];
  for (const { pool, name } of pools) scope.watch(pool, { name });
  return pools;
}

test("three pools: every exported number is true after each step of a script", async () => {
  const scope = makeScope();
  const pools = threePools(scope);
  const [orders, reports, down] = pools as [PoolUnderTest, PoolUnderTest, PoolUnderTest];
  const script: [string, () => Promise<void>][] = [
    ["nothing yet", async () => {}],
    ["orders: first client", () => orders.connect(false)],
    ["reports: a query", () => reports.query("SELECT 1")],
    ["down: a query", () => down.query("SELECT 1")],
    ["orders: second client", () => orders.connect(true)],
    ["orders: a waiter", () => orders.connect(false)],
    ["orders: another waiter", () => orders.connect(true)],
    ["reports: a failing query", () => reports.query("SELECT 1/0")],
    ["orders: a release serves a waiter", () => orders.release()],
    ["orders: the other times out", () => orders.timeOut()],
    [
      "reports: three clients",
      async () => {
        for (let client = 0; client < 3; client++) await reports.connect(false);
      },
    ],
    [
      "reports: max goes down",
      async () => {
        reports.pool.options.max = 2;
      },
    ],
    ["reports: a query waits in vain", () => reports.query("SELECT 1")],
    ["reports: a release with an error", () => reports.release(new Error("broken"))],
    ["reports: a release", () => reports.release()],
    ["down: a connect", () => down.connect(true)],
    ["orders ends", () => orders.end()],
    ["reports: one more query", () => reports.query("SELECT 1")],
    ["down ends", () => down.end()],
    ["reports ends", () => reports.end()],
  ];
  for (const [what, run] of script) {
    await run();
    await expectTruth(scope, pools).catch((error: Error) => {
      error.message = `after "${what}": ${error.message}`;
      throw error;
    });
  }
});

test("three pools: every exported number is true after each step of any sequence", async () => {
  const step = fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(2));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const scope = makeScope();
      const pools = threePools(scope);
      for (const [name, index] of steps) {
        const pool = pools[index] as PoolUnderTest;
        await STEPS[name]?.(pool);
        await expectTruth(scope, pools);
      }
      for (const pool of pools) await pool.end();
      await expectTruth(scope, pools);
      await scope.shutdown();
    }),
    { numRuns: 40 },
  );
}, 120_000);
