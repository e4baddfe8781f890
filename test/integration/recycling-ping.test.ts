/** Pings before checkouts: who is pinged, when, and what becomes of those that do not answer. */
import { AsyncLocalStorage } from "node:async_hooks";
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { recycle } from "../../src/index.ts";
import { makePool, read } from "../support/pools.ts";
import { makeRecycled, openBackends, processId, recordEvents } from "../support/recycled.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const ALWAYS = { pingAfterIdleMillis: 0 };

async function terminate(pids: readonly number[]): Promise<void> {
  const admin = makePool({ max: 1 });
  await admin.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [pids]);
  await until(async () => {
    const { rows } = await admin.query("SELECT FROM pg_stat_activity WHERE pid = ANY($1)", [pids]);
    return rows.length === 0;
  });
}

test("connections killed while idle fail no checkout", async () => {
  const { pool, closes } = makeRecycled({ max: 8 }, ALWAYS);
  // What dies in somebody's hands is not a failed checkout.
  pool.on("connect", (client) => client.on("error", () => {}));
  let failed = 0;
  for (let round = 0; round < 20; round++) {
    const pids = await openBackends(pool, 8);
    const admin = makePool({ max: 1 });
    // Not waited for: some checkouts come before the news does, some after.
    const killed = admin.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [pids]);
    const clients = await Promise.all(
      Array.from({ length: 8 }, async (_, turn) => {
        if (turn % 2) await killed;
        const client = await pool.connect().catch(() => {
          failed++;
        });
        return client;
      }),
    );
    for (const client of clients) client?.release();
    await killed;
    await admin.end();
  }
  expect(failed).toBe(0);
  const { connection_lost = 0, ping_failed = 0, flushed = 0, ...others } = await closes();
  expect(others).toEqual({});
  expect(connection_lost + ping_failed + flushed).toBeGreaterThan(100);
});

test("whoever asks gets another connection when the ping fails, and nobody hears of the first", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, recycling, exported, closes } = makeRecycled(
    { port: proxy.port, max: 2 },
    { ...ALWAYS, pingTimeoutMillis: 50 },
  );
  await pool.query("SELECT 1");
  const events = recordEvents(pool);
  proxy.freeze();
  const client = await pool.connect();
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  client.release();
  await until(() => events.includes("remove"));
  expect(events.filter((event) => event !== "remove")).toEqual(["connect", "acquire", "release"]);
  expect(recycling).toMatchObject({ pings: 1, pingFailures: 1 });
  expect(await closes()).toEqual({ half_open: 1 });
  const metrics = await exported();
  expect(metrics.value("orders", "poolscope_pool_pings_total")).toBe(1);
  expect(metrics.value("orders", "poolscope_pool_ping_failures_total")).toBe(1);
  expect(metrics.value("orders", "poolscope_pool_checkouts_total")).toBe(2);
});

test("a server that was restarted: two failed pings in a row drop all idle connections at once", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, recycling, closes } = makeRecycled(
    { port: proxy.port, max: 6 },
    { ...ALWAYS, pingTimeoutMillis: 50 },
  );
  await openBackends(pool, 6);
  proxy.freeze();
  const first = await pool.connect();
  const second = await pool.connect();
  expect(recycling).toMatchObject({ pings: 2, pingFailures: 2 });
  expect(pool.idleCount).toBe(0);
  expect(pool.totalCount).toBe(2);
  for (const client of [first, second]) client.release();
  expect(await closes()).toEqual({ half_open: 2, flushed: 4 });
});

test("no checkout pings more than twice", async () => {
  const { pool, recycling } = makeRecycled({ max: 5 }, { ...ALWAYS, failuresToFlush: 0 });
  await openBackends(pool, 5);
  // The server's answer to anything is an error: every ping is refused.
  for (const client of (pool as unknown as { _idle: { client: object }[] })._idle) {
    const { connection } = client.client as { connection: { query(text: string): void } };
    connection.query = () => Object.getPrototypeOf(connection).query.call(connection, "SELECT 1/0");
  }
  const client = await pool.connect();
  expect(recycling).toMatchObject({ pings: 2, pingFailures: 2 });
  expect(await processId(client)).toBeGreaterThan(0);
  client.release();
});

test("a busy pool never pings", async () => {
  const { pool, recycling, scope } = makeRecycled({ max: 4 });
  const worker = async () => {
    for (let query = 0; query < 500; query++) await pool.query("SELECT 1");
  };
  await Promise.all([worker(), worker(), worker(), worker(), worker(), worker()]);
  expect(recycling.pings).toBe(0);
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 3000, closes: 0 });
});

test("pings are no checkouts, no queries, and no events", async () => {
  const { pool, scope, recycling } = makeRecycled({ max: 1 }, ALWAYS);
  const events = recordEvents(pool);
  const client = await pool.connect();
  client.release();
  for (let turn = 0; turn < 3; turn++) (await pool.connect()).release();
  expect(recycling.pings).toBe(3);
  expect(events).toEqual(["connect", ...Array(4).fill(["acquire", "release"]).flat()]);
  expect(await read(scope, "orders")).toMatchObject({
    checkouts: 4,
    connects: 1,
    closes: 0,
    idle: 1,
    used: 0,
  });
  expect(recycling).toMatchObject({ pings: 3, pingFailures: 0 });
});

test("a ping does not touch an open transaction", async () => {
  const { pool, recycling } = makeRecycled({ max: 1 }, { ...ALWAYS, transactionAtRelease: "ignore" });
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT 1/0").catch(() => {});
  client.release();
  await until(() => pool.idleCount === 1);
  const again = await pool.connect();
  expect(recycling).toMatchObject({ pings: 1, pingFailures: 0 });
  await expect(again.query("SELECT 1")).rejects.toMatchObject({ code: "25P02" });
  await again.query("ROLLBACK");
  again.release();
});

test("idle connections are kept alive, and stay idle meanwhile", async () => {
  const { pool, recycling, scope } = makeRecycled({ max: 2 }, { keepAliveSeconds: 1 });
  await openBackends(pool, 2);
  const idle = new Set<number>();
  await until(() => {
    idle.add(pool.idleCount);
    return recycling.pings >= 2;
  });
  expect([...idle]).toEqual([2]);
  expect(recycling.pingFailures).toBe(0);
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 2, closes: 0 });
});

test("an idle connection that does not answer is closed before anybody asks for it", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, closes } = makeRecycled(
    { port: proxy.port, max: 2 },
    { keepAliveSeconds: 1, pingTimeoutMillis: 50 },
  );
  await pool.query("SELECT 1");
  proxy.freeze();
  await until(() => pool.totalCount === 0);
  expect(await closes()).toEqual({ half_open: 1 });
});

test("a ping takes at most half of what its caller may wait, so that there is time for another", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, closes, scope } = makeRecycled(
    { port: proxy.port, max: 1, connectionTimeoutMillis: 2_000 },
    { ...ALWAYS, pingTimeoutMillis: 60_000 },
  );
  await openBackends(pool, 1);
  proxy.freeze();
  const since = performance.now();
  const client = await pool.connect();
  expect(performance.now() - since).toBeGreaterThan(900);
  client.release();
  expect(await closes()).toEqual({ half_open: 1 });
  expect(await read(scope, "orders")).toMatchObject({ waitTimeouts: 0, checkouts: 2 });
});

test("a caller that gives up after a ping in vain has its timeout in time", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, scope } = makeRecycled({ port: proxy.port, max: 1 }, ALWAYS);
  await openBackends(pool, 1);
  pool.options.connectionTimeoutMillis = 400;
  proxy.blackhole();
  const since = performance.now();
  await expect(pool.connect()).rejects.toThrow(
    /^timeout exceeded when trying to connect$|connection timeout/,
  );
  expect(performance.now() - since).toBeLessThan(700);
  pool.options.connectionTimeoutMillis = 0;
  proxy.heal();
  const client = await pool.connect();
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  client.release();
  expect(await read(scope, "orders")).toMatchObject({ timeouts: 1, checkouts: 2 });
});

test("the callback runs in the caller's asynchronous context", async () => {
  const { pool } = makeRecycled({ max: 1 }, ALWAYS);
  const flow = new AsyncLocalStorage<string>();
  await flow.run("first", () => pool.query("SELECT 1"));
  const seen = await flow.run(
    "second",
    () =>
      new Promise((resolve) =>
        pool.connect((_error, _client, release) => {
          release();
          resolve(flow.getStore());
        }),
      ),
  );
  expect(seen).toBe("second");
});

test("a pool that held connections before it was recycled pings them first", async () => {
  const pool = makePool({ max: 2 });
  const pids = await openBackends(pool, 2);
  const recycling = recycle(pool);
  const client = await pool.connect();
  expect(pids).toContain(await processId(client));
  client.release();
  expect(recycling.pings).toBe(1);
  recycling.stop();
});

test("connections the server closed are not there any more when the next caller comes", async () => {
  const { pool } = makeRecycled({ max: 3 });
  await terminate(await openBackends(pool, 3));
  // Gone from the server, they may still have to be heard of here.
  await until(() => pool.totalCount === 0);
  for (let query = 0; query < 3; query++) await pool.query("SELECT 1");
});

test.each<[string, object]>([
  ["pipeline mode", { pipeline: true }],
  ["onConnect", { onConnect: (client: pg.ClientBase) => client.query("SET application_name = 'shop'") }],
  ["verify", { verify: (_client: pg.ClientBase, done: () => void) => setImmediate(done) }],
  ["binary results", { binary: true }],
  ["a listener that queries each new connection", {}],
])("it works with %s", async (name, options) => {
  const { pool, recycling, scope } = makeRecycled({ max: 2, ...options }, ALWAYS);
  if (name.startsWith("a listener"))
    pool.on("connect", (client) => void client.query("SET work_mem = '5MB'"));
  for (let round = 0; round < 3; round++) {
    const answers = [1, 2, 3, 4].map(async (n) => (await pool.query("SELECT $1::text AS n", [n])).rows[0].n);
    expect(await Promise.all(answers)).toEqual(["1", "2", "3", "4"]);
    await expect(pool.query("SELECT 1/0")).rejects.toThrow("division by zero");
  }
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
  expect((await pool.query("SELECT 'yes' AS answer")).rows).toEqual([{ answer: "yes" }]);
  expect(recycling.pings).toBeGreaterThan(5);
  expect(recycling.pingFailures).toBe(0);
  expect(await read(scope, "orders")).toMatchObject({ connects: 2, closes: 0 });
});
