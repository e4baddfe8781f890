/** A server that is restarted under load, with recycling and without. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import { recycle } from "../../src/index.ts";
import { makePool } from "../support/pools.ts";
import { makeRecycled } from "../support/recycled.ts";
import { until } from "../support/until.ts";

const QUERIES_PER_SECOND = 200;
const RUN_MILLIS = 3_000;
const DOWN_MILLIS = 1_000;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

interface Tally {
  asked: number;
  answered: number;
  /** Given no connection: the query was never sent. */
  notSent: number;
  /** Cut off on the wire, which no pool can make good. */
  cutOff: number;
  readonly reasons: Set<string>;
}

/** So many queries a second, half of them by `pool.query`, until told to stop. */
function load(pool: pg.Pool): { tally: Tally; stop(): Promise<void> } {
  const tally: Tally = { asked: 0, answered: 0, notSent: 0, cutOff: 0, reasons: new Set() };
  const queries: Promise<void>[] = [];
  pool.on("connect", (client) => client.on("error", () => {}));

  async function ask(): Promise<void> {
    tally.asked++;
    let wasSent = false;
    try {
      if (tally.asked % 2) {
        const client = await pool.connect();
        wasSent = true;
        try {
          await client.query("SELECT pg_sleep(0.01)");
        } finally {
          client.release();
        }
      } else {
        await pool.query("SELECT pg_sleep(0.01)");
      }
      tally.answered++;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // `pool.query` does not say where it failed. These come from a connection that was there.
      wasSent ||= /^57P01$|ECONNRESET|EPIPE/.test(code ?? "") || /^Connection terminated unexp/.test(message);
      if (wasSent) tally.cutOff++;
      else {
        tally.notSent++;
        tally.reasons.add(code ?? message);
      }
    }
  }

  const began = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1_000) * QUERIES_PER_SECOND;
    while (tally.asked < due) queries.push(ask());
  }, 5);
  return {
    tally,
    async stop() {
      clearInterval(timer);
      await Promise.all(queries);
    },
  };
}

async function restartUnderLoad(pool: pg.Pool): Promise<Tally & { downMillis: number }> {
  const { tally, stop } = load(pool);
  const began = performance.now();
  await until(() => tally.answered > QUERIES_PER_SECOND / 2);
  const downSince = performance.now();
  await server.pause();
  await until(() => performance.now() - downSince > DOWN_MILLIS);
  await server.resume();
  const downMillis = performance.now() - downSince;
  await until(() => performance.now() - began > RUN_MILLIS + downMillis);
  await stop();
  return { ...tally, downMillis };
}

test("with recycling no query fails that had not been sent", async () => {
  const { host, port, user, password } = server;
  const pool = makePool({ host, port, user, password, max: 10 });
  const recycling = recycle(pool, { dialRetryMillis: 20_000 });
  const bare = makePool({ host, port, user, password, max: 10 });

  const recycled = await restartUnderLoad(pool);
  const without = await restartUnderLoad(bare);
  recycling.stop();
  for (const [name, tally] of Object.entries({ recycled, without })) {
    console.log(
      `${name}: down ${tally.downMillis.toFixed(0)} ms, ${tally.asked} queries, ${tally.answered} answered, ` +
        `${tally.notSent} not sent (${[...tally.reasons]}), ${tally.cutOff} cut off on the wire`,
    );
  }
  expect(recycled.notSent).toBe(0);
  expect(recycled.answered + recycled.cutOff).toBe(recycled.asked);
  expect(without.notSent).toBeGreaterThan(0);
}, 90_000);

test("callers are seen waiting while the server is away, and are served in their order when it is back", async () => {
  const { host, port, user, password } = server;
  const { pool } = makeRecycled({ host, port, user, password, max: 2 }, { dialRetryMillis: 20_000 });
  await pool.query("SELECT 1");
  await server.pause();
  await until(() => pool.totalCount === 0);
  const order: number[] = [];
  const queries = [1, 2, 3, 4, 5, 6].map(async (turn) => {
    const client = await pool.connect();
    order.push(turn);
    client.release();
  });
  await until(() => pool.waitingCount === 6);
  await server.resume();
  await Promise.all(queries);
  expect(order.toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(pool.totalCount).toBeLessThanOrEqual(2);
}, 60_000);

test("a server that stays away: callers hear of the dial that failed, no later than they would time out", async () => {
  const { host, port, user, password } = server;
  const { pool } = makeRecycled({ host, port, user, password, max: 2 }, { dialRetryMillis: 60_000 });
  await pool.query("SELECT 1");
  pool.options.connectionTimeoutMillis = 400;
  await server.pause();
  await until(() => pool.totalCount === 0);
  const since = performance.now();
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => pool.query("SELECT 1")));
  const took = performance.now() - since;
  await server.resume();
  for (const { reason } of outcomes as PromiseRejectedResult[]) {
    // Those who were queued to begin with have a clock of pg-pool's own, and so has a dial.
    if (/^POOLSCOPE_(WAIT|DIAL)_TIMEOUT$/.test(reason.code)) {
      expect(reason.pool).toMatchObject({ lastConnectError: "ECONNREFUSED", limit: 2 });
    } else expect(reason.code).toBe("ECONNREFUSED");
  }
  expect(took).toBeGreaterThan(300);
  expect(took).toBeLessThan(1_500);
  expect(pool.waitingCount).toBe(0);
  await pool.query("SELECT 1");
}, 60_000);

test.each([
  ["dialRetryMillis: 0", { dialRetryMillis: 0 }],
  ["a pool that never was connected", {}],
])(
  "%s: refused is refused",
  async (name, options) => {
    const { host, port, user, password } = server;
    const { pool } = makeRecycled({ host, port, user, password, max: 2 }, options);
    if (name.startsWith("dialRetry")) await pool.query("SELECT 1");
    await server.pause();
    const since = performance.now();
    await expect(pool.query("SELECT 1")).rejects.toThrow(/ECONNREFUSED/);
    expect(performance.now() - since).toBeLessThan(1_000);
    await server.resume();
  },
  60_000,
);
