/** Sessions that the server ends while they are held. */
import type pg from "pg";
import { expect, test, vi } from "vitest";
import type { PoolscopeOptions } from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

function stage(options: PoolscopeOptions = {}) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ logger, ...options });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const releasedInTransaction = vi.fn();
  scope.on("releasedInTransaction", releasedInTransaction);
  return { scope, pool, releasedInTransaction, warnings: () => logger.warn.mock.calls.flat() as string[] };
}

async function begin(pool: pg.Pool, timeout = "0"): Promise<pg.PoolClient> {
  const client = await pool.connect();
  client.on("error", () => {});
  await client.query(`SET idle_in_transaction_session_timeout = '${timeout}'`);
  await client.query("BEGIN");
  return client;
}

test.each([["poolscope"], ["off"]] as const)(
  "a session ended by idle_in_transaction_session_timeout is lost (queries: %s)",
  async (queries) => {
    const { scope, pool, releasedInTransaction, warnings } = stage({ queries });
    const client = await begin(pool, "50ms");
    const reading = await until(async () => {
      const now = await read(scope, "orders");
      return now.held.lost > 0 ? now : undefined;
    });
    expect(reading).toMatchObject({
      held: { executing: 0, idleInTransaction: 0, idle: 0, lost: 1 },
      verdict: "orders: 1/2 in use, 1 lost",
    });
    const [holder] = await scope.holders("orders");
    expect(holder).toMatchObject({ activity: "lost" });
    expect(holder).not.toHaveProperty("transactionStatus");
    const exported = await scrape(scope);
    expect(exported.value("orders", "poolscope_pool_held", { activity: "lost" })).toBe(1);
    client.release();
    expect(await read(scope, "orders")).toMatchObject({
      releasedInTransaction: 0,
      closesByReason: { connection_lost: 1, other: 0 },
      held: { lost: 0 },
    });
    expect(releasedInTransaction).not.toHaveBeenCalled();
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^orders - connection lost: the server ended the session of a connection checked out at test\/\S+:\d+ while it was held \(25P03, idle_in_transaction_session_timeout, .*process id \d+\)$/,
      ),
    ]);
  },
);

test("a session terminated while it is held is closed as lost when it is released with the error", async () => {
  const { scope, pool, warnings } = stage();
  const client = await begin(pool);
  const { processID } = client as unknown as { processID: number };
  await pool.query("SELECT pg_terminate_backend($1)", [processID]);
  await until(async () => (await read(scope, "orders")).held.lost === 1);
  const error = await client.query("SELECT 1").catch((reason: Error) => reason);
  client.release(error as Error);
  expect(await read(scope, "orders")).toMatchObject({ closesByReason: { connection_lost: 1 } });
  expect(warnings()).toMatchObject([expect.stringMatching(/connection lost: .*\(57P01, terminated, /)]);
});

test.each([["poolscope"], ["off"]] as const)(
  "a session ended by the statement that runs is lost at once (queries: %s)",
  async (queries) => {
    const { scope, pool, releasedInTransaction } = stage({ queries });
    const client = await begin(pool);
    // Released by the callback of the statement, before the client knows that the socket is gone.
    await new Promise<void>((resolve) => {
      client.query("SELECT pg_terminate_backend(pg_backend_pid())", () => {
        client.release();
        resolve();
      });
    });
    expect(releasedInTransaction).not.toHaveBeenCalled();
    await until(async () => (await read(scope, "orders")).closesByReason.connection_lost === 1);
    expect(await read(scope, "orders")).toMatchObject({ releasedInTransaction: 0, closes: 1 });
  },
);

test("a pool stuck behind a lost session says so, and not that its holder is idle in transaction", async () => {
  const { scope, pool } = stage({ stuckAfterMillis: 50 });
  pool.options.max = 1;
  const client = await begin(pool, "50ms");
  await until(async () => (await read(scope, "orders")).held.lost === 1);
  const waiting = pool.query("SELECT 1");
  const reading = await until(async () => {
    const now = await read(scope, "orders");
    return now.condition === "stuck" ? now : undefined;
  });
  expect(reading.verdict).toMatch(
    /^orders: 1\/1 in use, 1 lost, 1 waiting \(.*\); stuck: .*: look for holders of connections that the server has closed$/,
  );
  client.release();
  await waiting;
});

test("any number of scopes listens once for the end of a session, and stops with the last", async () => {
  const pool = makePool({ max: 1 });
  const client = await pool.connect();
  const { connection } = client as unknown as { connection: { listenerCount(event: string): number } };
  const before = connection.listenerCount("errorMessage");
  const scopes = Array.from({ length: 12 }, () => makeScope());
  for (const scope of scopes) scope.watch(pool);
  expect(connection.listenerCount("errorMessage")).toBe(before + 1);
  for (const scope of scopes) await scope.shutdown();
  expect(connection.listenerCount("errorMessage")).toBe(before);
  client.release();
});
