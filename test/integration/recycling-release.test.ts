/** What becomes of a connection when it is given back. */
import type pg from "pg";
import { expect, test, vi } from "vitest";
import { isOldestPg } from "../support/pg.ts";
import { makePool, read } from "../support/pools.ts";
import { makeRecycled, openBackends, processId, recordEvents } from "../support/recycled.ts";
import { until } from "../support/until.ts";

test("pool.query with a plain SQL error keeps the connection, and the error is the one it ever was", async () => {
  const { pool, closes, scope } = makeRecycled({ max: 2 });
  const bare = makePool({ max: 2 });
  const [pid] = await openBackends(pool, 1);
  const events = recordEvents(pool);
  for (let query = 0; query < 5; query++) {
    const [error, expected] = await Promise.all(
      [pool, bare].map((one) => one.query("SELECT 1/0").catch((reason: Error) => reason)),
    );
    expect(error).toMatchObject({ ...(expected as Error), message: "division by zero", code: "22012" });
    expect(error?.constructor).toBe(expected?.constructor);
  }
  expect((await pool.query("SELECT pg_backend_pid() AS pid")).rows).toEqual([{ pid }]);
  expect(events).toEqual(Array(6).fill(["acquire", "release"]).flat());
  expect(await closes()).toEqual({});
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 7, connects: 1, total: 1 });
});

test("release still tells its listeners of the error", async () => {
  const { pool } = makeRecycled({ max: 1 });
  const heard = vi.fn();
  pool.on("release", heard);
  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  expect(heard.mock.calls.map(([error]) => (error as { code: string }).code)).toEqual(["22012"]);
});

test("with keepOnSqlError: false pool.query closes it, as pg-pool does", async () => {
  const { pool, closes } = makeRecycled({ max: 2 }, { keepOnSqlError: false });
  await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  await until(() => pool.totalCount === 0);
  expect(await closes()).toEqual({ query_error: 1 });
});

test("a waiter is served with the connection on which the statement before it failed", async () => {
  const { pool } = makeRecycled({ max: 1 });
  const [pid] = await openBackends(pool, 1);
  const outcomes = await Promise.allSettled([
    pool.query("SELECT 1/0"),
    pool.query("SELECT $1::int / 0", [1]),
    pool.query("SELECT pg_backend_pid() AS pid"),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  expect(outcomes[2]).toMatchObject({ value: { rows: [{ pid }] } });
});

test("released with an error by the application it is closed, whatever the error", async () => {
  const { pool, closes } = makeRecycled({ max: 2 });
  const client = await pool.connect();
  const error = await client.query("SELECT 1/0").catch((reason: Error) => reason);
  client.release(error as Error);
  (await pool.connect()).release(true);
  expect(await closes()).toEqual({ released_with_error: 2 });
});

test.each(["rollback", "destroy", "ignore"] as const)(
  "a failed statement that leaves a transaction open is nothing the next holder finds (%s)",
  async (transactionAtRelease) => {
    const { pool } = makeRecycled({ max: 1 }, { transactionAtRelease });
    await expect(pool.query("BEGIN; SELECT 1/0")).rejects.toThrow("division by zero");
    expect((await pool.query("SELECT now() = statement_timestamp() AS fresh")).rows).toEqual([
      { fresh: true },
    ]);
  },
);

test("released inside a transaction: rolled back before the next holder gets it", async () => {
  const { pool, closes, scope, said } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  const pid = await processId(client);
  await client.query("BEGIN; CREATE TEMP TABLE left_over (id int)");
  const next = pool.connect();
  client.release();
  const borrowed = await next;
  expect(await processId(borrowed)).toBe(pid);
  expect((await borrowed.query("SELECT to_regclass('left_over') AS found")).rows).toEqual([{ found: null }]);
  borrowed.release();
  expect(await closes()).toEqual({});
  expect(await read(scope, "orders")).toMatchObject({ releasedInTransaction: 1 });
  expect(said()).toContain("it is rolled back: COMMIT or ROLLBACK before the release");
});

test("released inside a failed transaction: rolled back too", async () => {
  const { pool } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT 1/0").catch(() => {});
  client.release();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

test("released inside a transaction with transactionAtRelease: destroy, it is closed", async () => {
  const { pool, closes } = makeRecycled({ max: 1 }, { transactionAtRelease: "destroy" });
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
  await until(() => pool.totalCount === 0);
  expect(await closes()).toEqual({ in_transaction: 1 });
});

test("released inside a transaction with transactionAtRelease: ignore, the next holder finds it", async () => {
  const { pool, closes } = makeRecycled({ max: 1 }, { transactionAtRelease: "ignore" });
  const client = await pool.connect();
  await client.query("BEGIN; CREATE TEMP TABLE left_over (id int)");
  client.release();
  const { rows } = await pool.query("SELECT to_regclass('left_over')::text AS found");
  expect(rows).toEqual([{ found: "left_over" }]);
  expect(await closes()).toEqual({});
});

test.each([
  ["08006", "connection_lost"],
  ["57P01", "connection_lost"],
  ["57P03", "connection_lost"],
  ["53300", undefined],
  ["0A000", undefined],
  ["22012", undefined],
])("after SQLSTATE %s on a checkout, whether the holder passes it on or not: %s", async (code, reason) => {
  const { pool, closes } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  const raise = `DO $$ BEGIN RAISE EXCEPTION 'staged' USING ERRCODE = '${code}'; END $$`;
  await expect(client.query(raise)).rejects.toMatchObject({ code });
  client.release();
  expect(pool.totalCount).toBe(reason ? 0 : 1);
  expect(await closes()).toEqual(reason ? { [reason]: 1 } : {});
});

test.each([
  [{}, { connection_lost: 1 }],
  [{ evictReadOnly: false }, {}],
])("25006 closes the connection, unless evictReadOnly is off: %j", async (options, expected) => {
  const { pool, closes } = makeRecycled({ max: 1 }, options);
  const client = await pool.connect();
  await client.query("BEGIN READ ONLY");
  await expect(client.query("CREATE TABLE never (id int)")).rejects.toMatchObject({ code: "25006" });
  await client.query("ROLLBACK");
  client.release();
  expect(await closes()).toEqual(expected);
});

test("25006 closes no connection on which the holder has set something", async () => {
  const { pool, closes } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  await client.query("SET default_transaction_read_only = on");
  await expect(client.query("CREATE TABLE never (id int)")).rejects.toMatchObject({ code: "25006" });
  client.release();
  expect((await pool.query("SHOW default_transaction_read_only")).rows).toEqual([
    { default_transaction_read_only: "on" },
  ]);
  expect(await closes()).toEqual({});
});

test("a statement whose cached plan has changed closes its connection, also when it was checked out", async () => {
  const { pool, closes } = makeRecycled({ max: 1 });
  const table = `cached_plan_${process.pid}`;
  await pool.query(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (id int)`);
  const client = await pool.connect();
  const ask = { name: "all", text: `SELECT * FROM ${table}` };
  await client.query(ask);
  await makePool({ max: 1 }).query(`ALTER TABLE ${table} ADD COLUMN price int`);
  await expect(client.query(ask)).rejects.toMatchObject({ code: "0A000" });
  client.release();
  expect(await closes()).toEqual({ connection_lost: 1 });
  expect((await pool.query(ask)).rows).toEqual([]);
  await pool.query(`DROP TABLE ${table}`);
});

test("query_timeout of the pool never poisons the next borrower", async () => {
  const { pool, closes } = makeRecycled({ max: 1, query_timeout: 50 });
  const pids = new Set<number>();
  for (let round = 0; round < 5; round++) {
    const client = await pool.connect();
    pids.add(await processId(client));
    await expect(client.query("SELECT pg_sleep(5)")).rejects.toThrow("Query read timeout");
    client.release();
    const since = performance.now();
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(performance.now() - since).toBeLessThan(1_000);
  }
  expect(pids.size).toBe(5);
  expect(await closes()).toEqual({ query_error: 5 });
});

// pg 8.11 has none.
// pg 8.11 knows no timeout of a single query.
if (!isOldestPg) {
  test("query_timeout of one query never poisons the next borrower", async () => {
    const { pool, closes } = makeRecycled({ max: 1 }, { busyTimeoutMillis: 100 });
    for (let round = 0; round < 5; round++) {
      const client = await pool.connect();
      const slow = { text: "SELECT pg_sleep(5)", query_timeout: 50 };
      await expect(client.query(slow)).rejects.toThrow("Query read timeout");
      client.release();
      const quick: object = { text: "SELECT 1 AS one", query_timeout: 1_000 };
      expect((await pool.query(quick as pg.QueryConfig)).rows).toEqual([{ one: 1 }]);
    }
    expect(await closes()).toEqual({ query_error: 5 });
  });
}

test("query_timeout in pool.query never poisons the next borrower", async () => {
  const { pool, closes } = makeRecycled({ max: 1, query_timeout: 50 });
  await expect(pool.query("SELECT pg_sleep(5)")).rejects.toThrow("Query read timeout");
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  expect(await closes()).toEqual({ query_error: 1 });
});

test("released while a statement runs that nobody waits for: it is run to its end, and the next holder comes after", async () => {
  const { pool, closes } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  const pid = await processId(client);
  const forgotten = client.query("SELECT pg_sleep(0.2), 'done' AS state");
  client.release();
  expect(pool.idleCount).toBe(0);
  const next = await pool.connect();
  expect((await forgotten).rows).toMatchObject([{ state: "done" }]);
  expect(await processId(next)).toBe(pid);
  next.release();
  expect(await closes()).toEqual({});
});

test("maxUses still counts", async () => {
  const { pool, closes } = makeRecycled({ max: 1, maxUses: 3 });
  for (let query = 0; query < 7; query++) await pool.query("SELECT 1/0").catch(() => {});
  await until(async () => (await closes()).max_uses === 2);
  expect(await closes()).toEqual({ max_uses: 2 });
});

test("releasing twice is the error it ever was", async () => {
  const { pool } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
  expect(() => client.release()).toThrow(
    "Release called on client which has already been released to the pool",
  );
});

test("a pool that ends while a connection is tidied ends", async () => {
  const { pool, exported } = makeRecycled({ max: 1 });
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
  await pool.end();
  expect(pool.totalCount).toBe(0);
  const metrics = await exported();
  expect(metrics.value("orders", "poolscope_pool_closes_total", { reason: "pool_end" })).toBe(1);
});
