/** Connections that are opened before somebody asks for them. */
import pg from "pg";
import { expect, inject, test } from "vitest";
import { recycle, warm } from "../../src/index.ts";
import { CLOSED_PORT, makePool, read } from "../support/pools.ts";
import { makeRecycled } from "../support/recycled.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const TOO_OFTEN = 1_000;

test.each(["bare", "recycled"])("warm() rejects when a client cannot be made, on a %s pool", async (kind) => {
  let made = 0;
  class Unmakeable extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      // A loop that never ends would take the whole run with it.
      if (++made === TOO_OFTEN) void pool.end();
      if (made > 0) throw new Error("no certificate");
      super(config);
    }
  }
  const Client = Unmakeable as unknown as new () => pg.ClientBase;
  const pool = makePool({ max: 3, min: 3, Client });
  if (kind === "recycled") recycle(pool);
  await expect(warm(pool)).rejects.toThrow("no certificate");
  expect(made).toBeLessThanOrEqual(3);
});

test("warm() settles and blocks nothing while callers wait for a server that is away", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool } = makeRecycled({ port: proxy.port, max: 3 }, { dialRetryMillis: 300 });
  await pool.query("SELECT 1");
  await proxy.refuse();
  await until(() => pool.totalCount === 0);
  const waiting = pool.query("SELECT 1").catch((error: Error) => error.message);
  const since = performance.now();
  await until(() => performance.now() - since > 60);
  let reads = 0;
  const { get } = Object.getOwnPropertyDescriptor(pg.Pool.prototype, "totalCount") ?? totalCountOf(pool);
  Object.defineProperty(pool, "totalCount", {
    configurable: true,
    get(this: pg.Pool) {
      // A loop that never ends would take the whole run with it.
      if (++reads === TOO_OFTEN) void pool.end();
      return get?.call(this);
    },
  });
  await expect(warm(pool, { connections: 3 })).rejects.toThrow(/ECONNREFUSED/);
  await waiting;
  expect(reads).toBeLessThan(TOO_OFTEN);
});

test("a connection that warm() opened is pinged before it is handed out", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, recycling } = makeRecycled(
    { port: proxy.port, max: 1, min: 1 },
    { pingAfterIdleMillis: 20, pingTimeoutMillis: 100 },
  );
  await warm(pool);
  const since = performance.now();
  await until(() => performance.now() - since > 60);
  proxy.freeze();
  let isAnswered = false;
  void pool.query("SELECT 1").then(() => {
    isAnswered = true;
  });
  await until(() => isAnswered, 4_000);
  expect(recycling.pingFailures).toBe(1);
});

test("`connect` is emitted once for each connection when warm() has to wait for the server", async () => {
  const { pool, scope } = makeRecycled({ max: 2 }, { dialRetryMillis: 5_000 });
  const connected: object[] = [];
  pool.on("connect", (client) => connected.push(client));
  const holder = await pool.connect();
  const { port } = pool.options;
  pool.options.port = CLOSED_PORT;
  const warmed = warm(pool, { connections: 2 }).catch(() => {});
  const since = performance.now();
  await until(() => performance.now() - since > 60);
  holder.release();
  await until(() => performance.now() - since > 120);
  pool.options.port = port ?? 0;
  await warmed;
  await until(() => pool.idleCount === pool.totalCount);
  expect(connected.length).toBe(new Set(connected).size);
  const { connects, closes, total } = await read(scope, "orders");
  expect(connects - closes).toBe(total);
});

function totalCountOf(pool: pg.Pool): PropertyDescriptor {
  return (
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Object.getPrototypeOf(pool)), "totalCount") ?? {}
  );
}
