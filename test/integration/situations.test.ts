/** What goes wrong with pools, staged for real: the verdict, the numbers and the log lines of each. */
import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import type { AssessedReading, Condition, Poolscope, PoolscopeOptions } from "../../src/index.ts";
import { CLOSED_PORT, makePool, makeScope, read } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

/** A scope that watches the pool in question, and one more that nothing happens to. */
function stage(pool: pg.Pool, options: PoolscopeOptions = {}) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ sampleIntervalMillis: 20, logger, stuckAfterMillis: 300, ...options });
  scope.watch(pool, { name: "orders" });
  scope.watch(makePool({ max: 3 }), { name: "bystander" });
  return { scope, said: (level: "info" | "warn") => logger[level].mock.calls.flat().join("\n") };
}

function becomes(scope: Poolscope, condition: Condition): Promise<AssessedReading> {
  return until(async () => {
    const reading = await read(scope, "orders");
    return reading.condition === condition ? reading : undefined;
  });
}

async function expectBystanderUntouched(scope: Poolscope): Promise<void> {
  expect(await read(scope, "bystander")).toMatchObject({
    condition: "ok",
    verdict: "bystander: 0/3 in use",
    total: 0,
    checkouts: 0,
    timeouts: 0,
    connectFailures: 0,
    closes: 0,
    leaks: 0,
  });
}

const ignore = () => {};

test("exhausted by slow queries", async () => {
  const pool = makePool({ max: 2 });
  const { scope, said } = stage(pool, { stuckAfterMillis: 60_000 });
  const queries = [1, 2, 3].map(() => pool.query("SELECT pg_sleep(0.3)"));
  const reading = await becomes(scope, "exhausted");
  expect(reading).toMatchObject({
    status: "critical",
    used: 2,
    waiting: 1,
    held: { executing: 2 },
    waits: 1,
  });
  expect(reading.verdict).toMatch(
    /^orders: 2\/2 in use, 1 waiting \(oldest 0\.\d s\); exhausted: raise max or look for long holds$/,
  );
  expect(reading.waiterAgesSeconds).toHaveLength(1);
  await until(() => said("warn").includes("orders - usage high 100%"));
  await Promise.all(queries);
  await becomes(scope, "ok");
  await expectBystanderUntouched(scope);
});

test("stuck: holders that do nothing, callers that give up", async () => {
  const pool = makePool({ max: 1 });
  const { scope, said } = stage(pool);
  const client = await pool.connect();
  pool.options.connectionTimeoutMillis = 200;
  await client.query("BEGIN");
  const callers = [pool.connect(), pool.connect()].map((caller) => caller.catch(ignore));
  const reading = await becomes(scope, "stuck");
  expect(reading.stalledSeconds).toBeGreaterThanOrEqual(0.3);
  // They have given up by now, and it is still stuck: giving up is no movement.
  expect(reading).toMatchObject({ waiting: 0, timeouts: 2, held: { idleInTransaction: 1 } });
  expect(reading.verdict).toMatch(
    /^orders: 1\/1 in use, 1 idle in transaction; stuck: nothing was handed out or returned for 0\.\d s: look for holders idle in transaction$/,
  );
  await Promise.all(callers);
  await until(() => said("warn").includes("orders - stuck ("));
  await client.query("ROLLBACK");
  client.release();
  expect(await becomes(scope, "ok")).toMatchObject({ stalledSeconds: 0 });
  await until(() => said("info").includes("orders - no longer stuck ("));
  await expectBystanderUntouched(scope);
});

test("stuck behind a lock: the holder shows who blocks it", async () => {
  const pool = makePool({ max: 1 });
  const admin = makePool({ max: 1 });
  await admin.query("CREATE TABLE IF NOT EXISTS situations_lock (id int)");
  const blocker = await admin.connect();
  await blocker.query("BEGIN; LOCK TABLE situations_lock");
  const { scope } = stage(pool);
  const blocked = pool.query("SELECT * FROM situations_lock");
  const waiting = pool.query("SELECT 1");
  const reading = await becomes(scope, "stuck");
  expect(reading.verdict).toMatch(/: look for long statements and locks$/);
  const [holder] = await scope.holders("orders", { joinServer: true });
  const { processID } = blocker as unknown as { processID: number };
  expect(holder).toMatchObject({
    activity: "executing",
    server: { waitEventType: "Lock", blockedBy: [processID] },
  });
  await blocker.query("ROLLBACK");
  blocker.release();
  await Promise.all([blocked, waiting]);
  await becomes(scope, "ok");
  await expectBystanderUntouched(scope);
});

test("nested checkouts that deadlock", async () => {
  const pool = makePool({ max: 2, connectionTimeoutMillis: 1_000 });
  const { scope, said } = stage(pool, { nestedCheckouts: "warn" });
  const nested = vi.fn();
  scope.on("nestedCheckout", nested);
  const transfer = async () => {
    const outer = await pool.connect();
    try {
      // Everybody has the first before anybody asks for the second.
      await outer.query("SELECT pg_sleep(0.05)");
      const inner = await pool.connect();
      inner.release();
    } finally {
      outer.release();
    }
  };
  const transfers = Promise.allSettled([transfer(), transfer()]);
  const reading = await becomes(scope, "self_deadlock");
  expect(reading).toMatchObject({ used: 2, waiting: 2, heldByWaiters: 2 });
  expect(reading.verdict).toMatch(
    /^orders: 2\/2 in use, 2 waiting \(oldest \d\.\d s\); all 2 are held by callers that wait for another one of this pool: pass the connection on/,
  );
  expect((await transfers).map(({ status }) => status)).toContain("rejected");
  expect(nested).toHaveBeenCalledOnce();
  const [event] = nested.mock.calls[0] ?? [];
  expect(event).toMatchObject({
    pool: "orders",
    outerSite: expect.stringMatching(/situations\.test\.ts:\d+:\d+$/),
    innerSite: expect.stringMatching(/situations\.test\.ts:\d+:\d+$/),
  });
  expect(event.outerSite).not.toBe(event.innerSite);
  expect(said("warn")).toMatch(
    /orders - nested checkout: .* asks for another at .*situations\.test\.ts:\d+:\d+; /,
  );
  await becomes(scope, "ok");
  await expectBystanderUntouched(scope);
});

test("checkouts side by side, one after the other, and of another pool are not nested", async () => {
  const [pool, other] = [makePool({ max: 4 }), makePool({ max: 4 })];
  const { scope } = stage(pool, { nestedCheckouts: "warn" });
  scope.watch(other, { name: "other" });
  const nested = vi.fn();
  scope.on("nestedCheckout", nested);
  const use = async (of: pg.Pool, within: () => Promise<unknown> = async () => {}) => {
    const client = await of.connect();
    await client.query("SELECT 1");
    await within();
    client.release();
  };
  await Promise.all([use(pool), use(pool), use(pool)]);
  for (let round = 0; round < 3; round++) await use(pool);
  await use(pool, () => use(other));
  expect(nested).not.toHaveBeenCalled();
  await use(pool, () => pool.query("SELECT 1"));
  expect(nested).toHaveBeenCalledOnce();
  expect(nested.mock.calls[0]?.[0].innerSite).toBeUndefined();
});

test("wrong password", async () => {
  const pool = makePool({ password: "wrong" });
  const { scope, said } = stage(pool);
  await pool.query("SELECT 1").catch(ignore);
  const reading = await becomes(scope, "authentication_failed");
  expect(reading).toMatchObject({
    connectFailing: "authentication",
    connectFailuresByCause: { authentication: 1 },
  });
  expect(reading.verdict).toBe(
    "orders: 0/10 in use; the server rejects the user or password (1 failed attempt to connect)",
  );
  await until(() => said("warn").includes("orders - authentication failed ("));
  await expectBystanderUntouched(scope);
});

test("a host that cannot be found, a port where nobody listens", async () => {
  const pool = makePool({ host: "no-such-host.invalid" });
  const { scope } = stage(pool);
  await pool.query("SELECT 1").catch(ignore);
  expect((await becomes(scope, "server_unreachable")).verdict).toMatch(
    /the server cannot be found or reached/,
  );
  const closed = makePool({ port: CLOSED_PORT });
  scope.watch(closed, { name: "closed" });
  await closed.query("SELECT 1").catch(ignore);
  expect((await read(scope, "closed")).verdict).toBe(
    "closed: 0/10 in use; the server refuses connections (1 failed attempt to connect): see whether it runs",
  );
  await expectBystanderUntouched(scope);
});

test("half-open: pg-pool starves its callers behind a closing connection that does not answer", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const pool = makePool({ port: proxy.port, max: 1, connectionTimeoutMillis: 2_000 });
  const { scope } = stage(pool);
  const client = await pool.connect();
  const caller = pool.connect().catch(ignore);
  proxy.blackhole();
  client.release(true);
  const reading = await becomes(scope, "stuck");
  expect(reading).toMatchObject({
    total: 0,
    waiting: 1,
    closes: 1,
    closesByReason: { released_with_error: 1 },
    checkouts: 1,
  });
  expect(reading.verdict).toMatch(
    /^orders: 0\/1 in use, 1 waiting \(oldest 0\.\d s\); stuck: .* though there is room: pg-pool waits for a closing connection that does not answer \(half-open\)$/,
  );
  proxy.cut();
  await caller;
  await expectBystanderUntouched(scope);
});

test("a blocked event loop", async () => {
  const pool = makePool({ max: 2 });
  const { scope, said } = stage(pool, { sampleIntervalMillis: 100 });
  await pool.query("SELECT 1");
  await until(() => scope.history("orders").length > 1);
  // On a busy machine a second of work is more than a second.
  const cpuMillis = () => (process.cpuUsage().user + process.cpuUsage().system) / 1_000;
  const [until1100, worked] = [performance.now() + 1_100, cpuMillis() + 500];
  while (performance.now() < until1100 || cpuMillis() < worked);
  const sample = await until(() =>
    scope.history("orders", 100).find(({ condition }) => condition === "event_loop_stalled"),
  );
  expect(sample.verdict).toMatch(
    /^orders: 0\/2 in use; the event loop was blocked for \d\.\d s: look for synchronous work/,
  );
  await until(() => said("warn").includes("orders - event loop stalled ("));
  await becomes(scope, "ok");
});

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(["-c", "max_connections=6"]);
});
afterAll(() => server.stop());

test("max_connections reached; the budget says so beforehand", async () => {
  const { host, port, user, password } = server;
  const admin = makePool({ host, port, user, password, max: 1 });
  await admin.query("CREATE ROLE app LOGIN PASSWORD 'app'");
  const pool = makePool({ host, port, user: "app", password: "app", max: 5 });
  const { scope, said } = stage(pool, { processes: 2 });
  const [budget] = await scope.connectionBudget();
  expect(budget).toMatchObject({
    processes: 2,
    wanted: 10,
    maxConnections: 6,
    reserved: 3,
    available: 3,
    fits: false,
  });
  expect(budget?.pools).toEqual([{ name: "orders", max: 5 }]);
  await until(() => said("warn").includes("connection budget: "));
  expect(said("warn")).toContain("orders max=5) × 2 processes wants 10 connections");

  const held = [await pool.connect(), await pool.connect()];
  await expect(pool.connect()).rejects.toMatchObject({ code: "53300" });
  const reading = await becomes(scope, "too_many_connections");
  expect(reading).toMatchObject({ used: 2, connects: 2, connectFailuresByCause: { tooManyConnections: 1 } });
  expect(reading.verdict).toMatch(
    /^orders: 2\/5 in use; the server has no connection left \(1 failed attempt/,
  );
  await admin.end();
  // The server lets go of a connection some time after the client has.
  held.push(await until(() => pool.connect().catch(() => undefined)));
  await becomes(scope, "ok");
  for (const client of held) client.release();
  await expectBystanderUntouched(scope);
});

test("server stopped, and back", async () => {
  const { host, port, user, password } = server;
  const pool = makePool({ host, port, user, password, max: 3 });
  const { scope, said } = stage(pool);
  await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 1")]);
  await server.pause();
  await expect(pool.query("SELECT 1")).rejects.toThrow();
  const reading = await becomes(scope, "server_unreachable");
  expect(reading).toMatchObject({
    total: 0,
    connects: 2,
    closesByReason: { connection_lost: 2 },
    connectFailuresByCause: { refused: 1 },
    verdict:
      "orders: 0/3 in use; the server refuses connections (1 failed attempt to connect): see whether it runs",
  });
  await until(() => said("warn").includes("orders - server unreachable ("));
  await server.resume();
  await pool.query("SELECT 1");
  await becomes(scope, "ok");
  await until(() => said("info").includes("orders - no longer server unreachable ("));
  await expectBystanderUntouched(scope);
});
