import type pg from "pg";
import { expect, inject, test, vi } from "vitest";
import type { Poolscope } from "../../src/index.ts";
import { isOldestPg } from "../support/pg.ts";
import { CLOSED_PORT, makePool, makeScope, read as readPool } from "../support/pools.ts";
import { until } from "../support/until.ts";

const read = (scope: Poolscope, pool = "orders") => readPool(scope, pool);

test("these tests run on the pg they say they run on", () => {
  // Arrived with pg-pool 3.8.
  expect("_isAboveMin" in makePool()).toBe(!isOldestPg);
});

test("counts what promises, callbacks and pool.query hand out", async () => {
  const pool = makePool({ max: 5 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });

  const byPromise = await pool.connect();
  const byCallback = await new Promise<pg.PoolClient>((resolve, reject) => {
    pool.connect((error, client) => (client ? resolve(client) : reject(error)));
  });
  await pool.query("SELECT 1");
  await new Promise<void>((resolve) => pool.query("SELECT 1", () => resolve()));

  expect(await read(scope)).toMatchObject({
    used: 2,
    idle: 1,
    total: 3,
    checkouts: 4,
    connects: 3,
    peakUsed: 3,
    wait: { count: 4 },
    use: { count: 2 },
    create: { count: 3 },
  });
  byPromise.release();
  byCallback.release(new Error("broken"));
  expect(await read(scope)).toMatchObject({ used: 0, idle: 2, total: 2, closes: 1, use: { count: 4 } });
});

test("a second release of the same client throws as ever and counts nothing", async () => {
  const pool = makePool({ max: 2 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  client.release();
  expect(() => client.release()).toThrow(
    "Release called on client which has already been released to the pool.",
  );
  expect(await read(scope)).toMatchObject({ used: 0, idle: 1, checkouts: 1, use: { count: 1 } });
});

test("a connection being dialed is connecting, neither used nor idle", async () => {
  const pool = makePool({ max: 3 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const dials = [pool.connect(), pool.connect()];
  expect(await read(scope)).toMatchObject({
    total: 2,
    connecting: 2,
    used: 0,
    idle: 0,
    waiting: 0,
    checkouts: 0,
  });
  const clients = await Promise.all(dials);
  expect(await read(scope)).toMatchObject({ total: 2, connecting: 0, used: 2, connects: 2 });
  for (const client of clients) client.release();
});

test("callers beyond max wait; for the tick in which pg-pool queues a caller it has an idle client for, nobody does", async () => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const held = await pool.connect();
  const waiters = [pool.connect(), pool.connect()];
  const reading = await until(async () => {
    const now = await read(scope);
    return now.oldestWaitSeconds > 0.02 && now;
  });
  expect(reading).toMatchObject({ waiting: 2, used: 1, waits: 2, peakWaiting: 2 });
  held.release();
  (await waiters[0])?.release();
  (await waiters[1])?.release();
  expect(await read(scope)).toMatchObject({ waiting: 0, oldestWaitSeconds: 0, waits: 2, checkouts: 3 });

  const served = pool.connect();
  expect(pool.waitingCount).toBe(1);
  expect(await read(scope)).toMatchObject({ waiting: 0, waits: 2 });
  (await served).release();
});

test("the oldest waiter is the one still queued, not one already served", async () => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const first = await pool.connect();
  const second = pool.connect();
  await until(async () => (await read(scope)).oldestWaitSeconds > 0.1);
  const third = pool.connect();
  first.release();
  const client = await second;
  const { waiting, oldestWaitSeconds } = await read(scope);
  expect(waiting).toBe(1);
  expect(oldestWaitSeconds).toBeLessThan(0.1);
  client.release();
  (await third).release();
});

test("a wait timeout and a dial timeout are told apart", async () => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const held = await pool.connect();
  pool.options.connectionTimeoutMillis = 50;
  await expect(pool.connect()).rejects.toThrow("timeout exceeded when trying to connect");
  await expect(pool.query("SELECT 1")).rejects.toThrow("timeout exceeded when trying to connect");
  expect(await read(scope)).toMatchObject({
    timeouts: 2,
    waitTimeouts: 2,
    dialTimeouts: 0,
    connectFailures: 0,
  });
  held.release();

  // A server that accepts and never answers.
  const { createServer } = await import("node:net");
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await until(() => silent.listening);
  const { port } = silent.address() as { port: number };
  const deaf = makePool({ port, max: 1, connectionTimeoutMillis: 50 });
  scope.watch(deaf, { name: "deaf" });
  await expect(deaf.connect()).rejects.toThrow("Connection terminated due to connection timeout");
  silent.close();
  expect(await read(scope, "deaf")).toMatchObject({
    timeouts: 1,
    waitTimeouts: 0,
    dialTimeouts: 1,
    connectFailures: 1,
    connectFailuresByCause: { dialTimeout: 1 },
    connecting: 0,
    total: 0,
    checkouts: 0,
  });
  expect(await read(scope)).toMatchObject({ timeouts: 2, dialTimeouts: 0 });
});

test("failed dials are counted by cause: refused, authentication, too many connections, unknown host", async () => {
  const admin = makePool({ max: 1 });
  await admin.query("DROP ROLE IF EXISTS lonely; CREATE ROLE lonely LOGIN PASSWORD 'x' CONNECTION LIMIT 0");
  const scope = makeScope();
  const cases = {
    refused: { port: CLOSED_PORT },
    authentication: { password: "wrong" },
    tooManyConnections: { user: "lonely", password: "x" },
    unreachable: { host: "no-such-host.invalid" },
    other: { database: "no_such_database" },
  };
  for (const [cause, options] of Object.entries(cases)) {
    const pool = makePool(options);
    scope.watch(pool, { name: cause });
    await expect(pool.query("SELECT 1")).rejects.toThrow();
    await expect(pool.connect()).rejects.toThrow();
  }
  for (const cause of Object.keys(cases)) {
    expect(await read(scope, cause), cause).toMatchObject({
      connectFailures: 2,
      connectFailuresByCause: { [cause]: 2 },
      timeouts: 0,
      checkouts: 0,
      connects: 0,
      closes: 0,
      connecting: 0,
      total: 0,
    });
  }
});

test("an idle client whose lifetime is over is closed without being counted as handed out", async () => {
  const pool = makePool({ max: 2, maxLifetimeSeconds: 0.2 as number });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const events = vi.fn();
  pool.on("acquire", events);
  await pool.query("SELECT 1");
  await until(() => pool.totalCount === 0);
  // One checkout was ours, one is pg-pool's ghost.
  expect(events).toHaveBeenCalledTimes(2);
  expect(await read(scope)).toMatchObject({
    checkouts: 1,
    connects: 1,
    closes: 1,
    use: { count: 1 },
    used: 0,
  });
});

test("a pool already at work is taken as it is", async () => {
  const pool = makePool({ max: 4 });
  const held = await pool.connect();
  await pool.query("SELECT 1");
  const dialing = [pool.connect(), pool.connect()];
  await dialing[0]; // takes the idle client
  const alsoDialing = pool.connect();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const before = await read(scope);
  expect(before.total).toBe(before.used + before.idle + before.connecting);
  expect(before).toMatchObject({ total: pool.totalCount, connects: 0, closes: 0, checkouts: 0 });
  expect(before.connecting).toBeGreaterThan(0);

  for (const client of [held, ...(await Promise.all([...dialing, alsoDialing]))]) client.release();
  const after = await read(scope);
  expect(after).toMatchObject({
    used: 0,
    connecting: 0,
    idle: pool.totalCount,
    closes: 0,
    use: { count: 0 },
  });
  await pool.end();
});

test("a dial that began before the watch and fails leaves nothing behind", async () => {
  const pool = makePool({ port: CLOSED_PORT });
  const dial = pool.connect();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  expect(await read(scope)).toMatchObject({ total: 1, connecting: 1, used: 0 });
  await expect(dial).rejects.toThrow();
  expect(await read(scope)).toMatchObject({ total: 0, connecting: 0, used: 0, closes: 0 });
});

test("max, min and the pool size follow the pool's options as they change", async () => {
  const pool = makePool({ max: 10, min: 4 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  expect(await read(scope)).toMatchObject({
    limit: 10,
    poolSize: 4,
    maxOverflow: 6,
    idleMin: 4,
    capacity: 10,
  });
  const clients = await Promise.all(Array.from({ length: 5 }, () => pool.connect()));
  expect(await read(scope)).toMatchObject({ used: 5, overflow: 1, utilization: 0.5 });
  pool.options.max = 5;
  pool.options.min = 0;
  expect(await read(scope)).toMatchObject({
    limit: 5,
    poolSize: 5,
    maxOverflow: 0,
    overflow: 0,
    utilization: 1,
  });
  for (const client of clients) client.release();

  const sized = makePool({ max: 30 });
  scope.watch(sized, { name: "sized", poolSize: 20 });
  expect(await read(scope, "sized")).toMatchObject({ poolSize: 20, maxOverflow: 10, capacity: 30 });
});

test("a failing verify is a failed connect", async () => {
  const scope = makeScope();
  const verified = makePool({
    verify: (_client: unknown, done: (error?: Error) => void) => done(new Error("not fit")),
  } as pg.PoolConfig);
  scope.watch(verified, { name: "verified" });
  await expect(verified.connect()).rejects.toThrow("not fit");
  expect(await read(scope, "verified")).toMatchObject({
    connectFailures: 1,
    connects: 1,
    closes: 1,
    used: 0,
    checkouts: 0,
  });
});

test("a Client class that throws passes its error on, and it is counted", async () => {
  const pool = makePool();
  class Broken {
    constructor() {
      throw new TypeError("cannot be made");
    }
  }
  (pool as unknown as { Client: unknown }).Client = Broken;
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  expect(() => pool.connect()).toThrow("cannot be made");
  expect(await read(scope)).toMatchObject({ connectFailures: 1, used: 0, connecting: 0 });
});

test("unwatch leaves the pool exactly as it was found, and counting stops", async () => {
  const pool = makePool({ max: 2 });
  const scope = makeScope();
  const look = () => ({
    descriptors: Object.getOwnPropertyDescriptors(pool),
    keys: Reflect.ownKeys(pool),
    listeners: pool.eventNames().map((name) => [name, pool.rawListeners(name)]),
  });
  const { _events, ...before } = look().descriptors as Record<string, unknown>;
  const { keys, listeners } = look();
  const watch = scope.watch(pool, { name: "orders" });
  expect(look().keys).not.toEqual(keys);
  watch.unwatch();
  const { _events: _now, ...after } = look().descriptors as Record<string, unknown>;
  expect(after).toEqual(before);
  expect(look().keys).toEqual(keys);
  expect(look().listeners).toEqual(listeners);
  await pool.query("SELECT 1");
  expect(await scope.readings()).toEqual([]);
  watch.unwatch();
});

test("unwatch under another wrapper leaves that one in place and out of the count", async () => {
  const pool = makePool({ max: 2 });
  const scope = makeScope();
  const watch = scope.watch(pool, { name: "orders" });
  const ours = pool.connect;
  const theirs = vi.fn(function (this: pg.Pool, ...args: unknown[]) {
    return Reflect.apply(ours, this, args);
  });
  (pool as unknown as { connect: unknown }).connect = theirs;
  watch.unwatch();
  await pool.query("SELECT 1");
  expect(theirs).toHaveBeenCalledOnce();
  const again = makeScope();
  again.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  expect((await again.readings())[0]).toMatchObject({ checkouts: 1 });
});

test("two scopes see the same pool alike", async () => {
  const pool = makePool({ max: 2 });
  const [one, two] = [makeScope(), makeScope()];
  one.watch(pool, { name: "orders" });
  const watch = two.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const client = await pool.connect();
  const seen = { checkouts: 2, used: 1, connects: 1 };
  expect(await read(one)).toMatchObject(seen);
  expect(await read(two)).toMatchObject(seen);
  watch.unwatch();
  client.release();
  await pool.query("SELECT 1");
  expect(await read(one)).toMatchObject({ checkouts: 3, used: 0, use: { count: 3 } });
});

test("a pool that has ended is let go of by itself; its name is free again", async () => {
  const pool = makePool({ max: 2 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const ended = pool.end();
  expect(await read(scope)).toMatchObject({ used: 1, total: 1 });
  await expect(pool.connect()).rejects.toThrow("Cannot use a pool after calling end on the pool");
  expect(await read(scope)).toMatchObject({ connectFailures: 0, checkouts: 1 });
  client.release();
  await ended;
  expect(await scope.readings()).toEqual([]);
  expect(Object.hasOwn(pool, "connect")).toBe(false);
  const successor = makePool({ max: 7 });
  scope.watch(successor, { name: "orders" });
  expect(await read(scope)).toMatchObject({ limit: 7, checkouts: 0, wait: { count: 0 } });
});

test("watching again is the same watch", () => {
  const pool = makePool();
  const scope = makeScope();
  const watch = scope.watch(pool, { name: "orders" });
  expect(scope.watch(pool)).toBe(watch);
  expect(scope.watch(pool, { name: "orders" })).toBe(watch);
});

test("pools without a name are named after their database, then their server; clashes are numbered", async () => {
  const { host, port } = inject("postgres");
  const scope = makeScope();
  const names = [
    makePool({ database: "shop" }),
    makePool({ database: "shop" }),
    makePool({
      connectionString: `postgres://me:hunter2@db.example:6543/billing`,
      database: undefined as never,
    }),
    makePool({ database: "shop" }),
  ].map((pool) => scope.watch(pool).name);
  expect(names).toEqual(["shop", "shop-2", "billing", "shop-3"]);
  expect(JSON.stringify(await scope.readings())).not.toContain("hunter2");
  expect(host).toBe("127.0.0.1");
  expect(port).toBeGreaterThan(0);
});

test("a reading is frozen", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const reading = await read(scope);
  expect(Object.isFrozen(reading)).toBe(true);
  expect(Object.isFrozen(reading.wait)).toBe(true);
});
