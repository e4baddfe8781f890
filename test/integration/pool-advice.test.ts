/** What is said of a pool's options when it is watched or recycled: once, as advice, without waiting for anything. */
import { expect, test, vi } from "vitest";
import { startPostgres } from "../../demo/postgres-server.ts";
import { recycle } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

test("a watch advises once, before anything is connected", () => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const pool = makePool({ max: 5, min: 8 } as object);
  scope.watch(pool, { name: "orders" });
  scope.watch(pool, { name: "orders" });
  expect(logger.info.mock.calls.flat()).toEqual([
    expect.stringMatching(/^orders - connectionTimeoutMillis=0: callers wait for ever/),
    expect.stringMatching(/^orders - min=8 is above max=5/),
  ]);
  expect(pool.totalCount).toBe(0);
});

test("a pool with sound options hears nothing", () => {
  const logger = quiet();
  const scope = makeScope({ logger });
  const pool = makePool({
    max: 5,
    min: 2,
    connectionTimeoutMillis: 30_000,
    idleTimeoutMillis: 10_000,
  } as object);
  scope.watch(pool);
  recycle(pool, { logger }).stop();
  expect(Object.values(logger).flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test("recycling advises on what concerns it", () => {
  const logger = quiet();
  recycle(makePool({ idleTimeoutMillis: 100 }), { logger }).stop();
  recycle(makePool({ idleTimeoutMillis: 0 }), { logger, idleLimitSeconds: 350 }).stop();
  expect(logger.info.mock.calls.flat()).toEqual([
    expect.stringMatching(/^poolscope - idleTimeoutMillis=100 is below pingAfterIdleMillis=500/),
    expect.stringMatching(/^poolscope - idleLimitSeconds=350 closes idle connections before the pool does/),
  ]);
});

test("the server's own limit of idle sessions is asked for with the budget, and compared", async () => {
  const server = await startPostgres(["-c", "idle_session_timeout=350s", "-c", "max_connections=20"]);
  try {
    const { host, port, user, password } = server;
    const logger = quiet();
    const scope = makeScope({ logger, processes: 1 });
    const options = { host, port, user, password, connectionTimeoutMillis: 30_000, idleTimeoutMillis: 0 };
    scope.watch(makePool({ ...options, max: 5 }), { name: "orders" });
    const kept = makePool({ ...options, max: 50 });
    const recycling = recycle(kept, { keepAliveSeconds: 60 });
    scope.watch(kept, { name: "kept" });
    await until(() => logger.info.mock.calls.length > 0);
    expect(logger.info.mock.calls.flat()).toEqual([
      "orders - the server's idle_session_timeout=350s closes idle connections before the pool does " +
        "(no maxLifetimeSeconds, idleTimeoutMillis=0, min=0); set a lifetime or keepAliveSeconds below 350",
    ]);
    expect(logger.warn.mock.calls.flat()).toEqual([
      expect.stringMatching(/connection budget: .*kept max=50.* want 55 connections.*max_connections=20/),
    ]);
    recycling.stop();
    await scope.shutdown();
  } finally {
    await server.stop();
  }
});
