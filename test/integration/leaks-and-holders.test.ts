import type pg from "pg";
import { expect, test, vi } from "vitest";
import { scrape } from "../support/exported.ts";
import { isOldestPg } from "../support/pg.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });
const HERE = /^test\/integration\/leaks-and-holders\.test\.ts:\d+:\d+$/;

async function leakyCheckout(pool: pg.Pool): Promise<pg.PoolClient> {
  return await pool.connect();
}

test("a leak is reported once, with where and what, and taken back when the connection returns", async () => {
  const logger = quiet();
  const scope = makeScope({ leakAfterMillis: 60, sampleIntervalMillis: 10, logger });
  const [pool, other] = [makePool({ max: 3 }), makePool({ max: 3 })];
  scope.watch(pool, { name: "orders" });
  scope.watch(other, { name: "bystander" });
  const [leak, leakReturned] = [vi.fn(), vi.fn()];
  scope.on("leak", leak);
  scope.on("leakReturned", leakReturned);

  const client = await leakyCheckout(pool);
  await client.query("SELECT 1");
  await until(async () => (await read(scope, "orders")).condition === "leak_suspected");
  const reading = await read(scope, "orders");
  expect(reading).toMatchObject({ leaks: 1, suspects: [{ site: expect.stringMatching(HERE) }], used: 1 });
  expect(reading.verdict).toMatch(
    /^orders: 1\/3 in use; 1 held over 0\.\d s since checkout at test\/integration\/leaks-and-holders\.test\.ts:\d+:\d+ — suspected leak$/,
  );
  const [event] = leak.mock.calls[0] ?? [];
  expect(event).toMatchObject({ pool: "orders", site: expect.stringMatching(HERE), lastVerb: "SELECT" });
  expect(event.heldSeconds).toBeGreaterThanOrEqual(0.06);
  expect(event.processId).toBe((client as unknown as { processID: number }).processID);
  expect(event.stack[0]).toMatch(/leakyCheckout \(test\/integration\/leaks-and-holders\.test\.ts/);
  expect(event.stack.join("\n")).not.toMatch(/node_modules|hooks\.ts|watched-pool/);
  const said = logger.warn.mock.calls.flat().find((line) => line.includes("suspected leak: "));
  expect(said).toMatch(
    /^orders - suspected leak: a connection checked out at test\/integration\/leaks-and-holders\.test\.ts:\d+:\d+ has been held for 0\.\d s \(idle, last statement SELECT, process id \d+\); release it in a finally block\n {4}at /,
  );

  client.release();
  expect(leakReturned).toHaveBeenCalledWith(expect.objectContaining({ pool: "orders", lastVerb: "SELECT" }));
  expect(logger.info.mock.calls.flat().join("\n")).toMatch(
    /orders - the suspected leak, a connection checked out at .*:\d+, was returned after 0\.\d s/,
  );
  expect(await read(scope, "orders")).toMatchObject({ leaks: 1, suspects: [], condition: "ok" });
  expect(leak).toHaveBeenCalledOnce();
  expect(await read(scope, "bystander")).toMatchObject({ leaks: 0, suspects: [], condition: "ok" });
  const exported = await scrape(scope);
  expect(exported.value("orders", "poolscope_pool_leaks_total")).toBe(1);
  expect(exported.value("orders", "poolscope_pool_leaked")).toBe(0);
  expect(exported.value("bystander", "poolscope_pool_leaks_total")).toBe(0);
});

test("of very many checkouts some have their place noted; after a leak without one, all have", async () => {
  const logger = quiet();
  const scope = makeScope({ leakAfterMillis: 10, logger });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const site = async () => (await scope.holders("orders"))[0]?.site;
  const first = await leakyCheckout(pool);
  expect(await site()).toMatch(HERE);
  first.release();

  const leaked = await until(async () => {
    // Sooner than the budget is filled again.
    for (let checkout = 0; checkout < 200; checkout++) (await pool.connect()).release();
    const client = await pool.connect();
    if (!(await site())) return client;
    client.release();
    return undefined;
  });
  await until(() => logger.warn.mock.calls.flat().some((line) => line.includes("suspected leak: ")));
  expect(logger.warn.mock.calls.flat().join("\n")).toMatch(
    /^orders - suspected leak: a connection checked out at a place that was not recorded has been held for .*; release it in a finally block$/m,
  );
  leaked.release();
  for (let checkout = 0; checkout < 200; checkout++) (await pool.connect()).release();
  const next = await leakyCheckout(pool);
  expect(await site()).toMatch(HERE);
  next.release();
});

test("pool.query is never a leak, however long it takes; leakAfterMillis 0 reports none and notes no place", async () => {
  const scope = makeScope({ leakAfterMillis: 20 });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const slow = pool.query("SELECT pg_sleep(0.2)");
  await until(async () => ((await scope.holders("orders"))[0]?.heldSeconds ?? 0) > 0.1);
  expect(await scope.holders("orders")).toMatchObject([{ via: "query", activity: "executing", stack: [] }]);
  expect(await read(scope, "orders")).toMatchObject({ leaks: 0 });
  await slow;

  const off = makeScope({ leakAfterMillis: 0 });
  const unwatched = makePool({ max: 2 });
  off.watch(unwatched, { name: "orders" });
  const client = await unwatched.connect();
  const [holder] = await off.holders("orders");
  expect(holder).toMatchObject({ via: "connect", stack: [] });
  expect(holder?.site).toBeUndefined();
  client.release();
});

test("holders: since when, since where, doing what, and what the server says of them", async () => {
  const scope = makeScope();
  const [pool, other] = [makePool({ max: 4 }), makePool({ max: 4 })];
  scope.watch(pool, { name: "orders" });
  scope.watch(other, { name: "bystander" });
  await pool.query("CREATE TABLE IF NOT EXISTS holders_lock (id int)");
  const holder = await pool.connect();
  await holder.query("BEGIN");
  await holder.query("LOCK TABLE holders_lock IN ACCESS EXCLUSIVE MODE");
  const waiting = await pool.connect();
  const locked = waiting.query("SELECT * FROM holders_lock");
  const idle = await pool.connect();
  const holderPid = (holder as unknown as { processID: number }).processID;

  const holders = await until(async () => {
    const now = await scope.holders("orders", { joinServer: true });
    return now.some(({ server }) => server?.blockedBy.includes(holderPid)) ? now : undefined;
  });
  expect(holders).toMatchObject([
    {
      pool: "orders",
      via: "connect",
      site: expect.stringMatching(HERE),
      activity: "idle_in_transaction",
      transactionStatus: "T",
      lastVerb: "LOCK",
      processId: holderPid,
      server: { state: "idle in transaction", blockedBy: [] },
    },
    { activity: "executing", server: { state: "active", waitEventType: "Lock", blockedBy: [holderPid] } },
    { activity: "idle", transactionStatus: "I", server: { state: "idle" } },
  ]);
  expect(holders.map(({ heldSeconds }) => heldSeconds)).toEqual(
    holders.map(({ heldSeconds }) => heldSeconds).sort((a, b) => b - a),
  );
  expect(JSON.stringify(holders)).not.toContain("holders_lock");
  expect(await read(scope, "orders")).toMatchObject({
    used: 3,
    held: { executing: 1, idleInTransaction: 1, idle: 1 },
    verdict: "orders: 3/4 in use, 1 idle in transaction",
  });
  const exported = await scrape(scope);
  const activity = (of: string) => exported.value("orders", "poolscope_pool_held", { activity: of });
  expect([activity("executing"), activity("idle_in_transaction"), activity("idle")]).toEqual([1, 1, 1]);
  expect(exported.value("bystander", "poolscope_pool_held")).toBe(0);
  expect(await scope.holders("bystander")).toEqual([]);
  await expect(scope.holders("nobody")).rejects.toMatchObject({ code: "POOLSCOPE_UNKNOWN_POOL" });

  await holder.query("ROLLBACK");
  await locked;
  for (const client of [holder, waiting, idle]) client.release();
  expect(await scope.holders("orders")).toEqual([]);
});

test("holders of before the watch are told of, from when the watch began", async () => {
  const pool = makePool({ max: 3 });
  const client = await pool.connect();
  await client.query("BEGIN");
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const [holder] = await scope.holders("orders");
  // Before pg 8.21 a client does not tell; what it was told before the watch is not known.
  const activity = isOldestPg ? "idle" : "idle_in_transaction";
  expect(holder).toMatchObject({ via: "connect", activity, stack: [] });
  await client.query("COMMIT");
  client.release();
  expect(await read(scope, "orders")).toMatchObject({ use: { count: 0 }, held: { idle: 0 } });
});

test("a connection released inside a transaction is counted each time and complained of once for each place", async () => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const event = vi.fn();
  const off = scope.on("releasedInTransaction", event);
  const careless = async () => {
    const client = await pool.connect();
    await client.query("BEGIN");
    client.release();
  };
  await careless();
  await careless();
  expect(await read(scope, "orders")).toMatchObject({ releasedInTransaction: 2 });
  expect(logger.warn).toHaveBeenCalledOnce();
  expect(logger.warn.mock.calls[0]?.[0]).toMatch(
    /^orders - a connection checked out at test\/integration\/leaks-and-holders\.test\.ts:\d+:\d+ was released inside a transaction \(last statement BEGIN, process id \d+\); its next holder finds it open: COMMIT or ROLLBACK before the release$/,
  );
  expect(event).toHaveBeenCalledTimes(2);
  off();
  const client = await pool.connect();
  await client.query("ROLLBACK");
  client.release();
  const failed = await pool.connect();
  await failed.query("BEGIN");
  failed.release(true); // closed, and its transaction with it
  expect(await read(scope, "orders")).toMatchObject({ releasedInTransaction: 2 });
  expect(event).toHaveBeenCalledTimes(2);
});

test("a listener that throws is logged and disturbs nobody; wrong events and listeners are refused", async () => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  scope.on("releasedInTransaction", () => {
    throw new Error("listener's own");
  });
  const client = await pool.connect();
  await client.query("BEGIN");
  client.release();
  await until(() => logger.error.mock.calls.length > 0);
  expect(logger.error).toHaveBeenCalledWith(
    'poolscope - a listener of "releasedInTransaction" threw: listener\'s own',
  );
  expect(() => scope.on("nothing" as never, () => {})).toThrow(/^Expected `event` to be leak, /);
  expect(() => scope.on("leak", undefined as never)).toThrow(
    "Expected `listener` to be a function, got `undefined`",
  );
});

test("the last statement told is the holder's own, and no other's that had the connection before", async () => {
  const [scope, unmeasured] = [makeScope(), makeScope({ queries: "off" })];
  const [pool, other] = [makePool({ max: 1 }), makePool({ max: 1 })];
  scope.watch(pool, { name: "orders" });
  unmeasured.watch(other, { name: "orders" });
  const verb = async (from: typeof scope) => (await from.holders("orders"))[0]?.lastVerb;
  await pool.query("SELECT 1");
  const [client, silent] = await Promise.all([pool.connect(), other.connect()]);
  expect(await verb(scope)).toBeUndefined();
  await client.query("BEGIN");
  await silent.query("BEGIN");
  expect(await verb(scope)).toBe("BEGIN");
  expect(await verb(unmeasured)).toBeUndefined();
  await expect(client.query("INSERT INTO nowhere VALUES (1)")).rejects.toThrow("nowhere");
  expect(await verb(scope)).toBe("INSERT");
  client.release();
  silent.release();
});
