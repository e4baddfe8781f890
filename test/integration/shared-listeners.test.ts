import { errorMonitor } from "node:events";
import pg from "pg";
import { expect, test, vi } from "vitest";
import { makePool, makeScope, read } from "../support/pools.ts";
import { processId } from "../support/recycled.ts";
import { until } from "../support/until.ts";

const EVENTS = ["connect", "release", "remove", errorMonitor];

test("twelve scopes add one set of listeners to a pool, and nothing is warned of", async () => {
  const pool = makePool({ max: 2 });
  const listeners = () => EVENTS.map((event) => pool.listenerCount(event));
  const bare = listeners();
  const warned = vi.fn();
  process.on("warning", warned);
  const scopes = Array.from({ length: 12 }, () => makeScope());
  for (const scope of scopes) scope.watch(pool, { name: "orders" });
  expect(listeners()).toEqual(bare.map((count) => count + 1));
  await pool.query("SELECT 1");
  for (const scope of scopes) {
    expect(await read(scope, "orders")).toMatchObject({ requests: 1, checkouts: 1, connects: 1, used: 0 });
  }
  process.removeListener("warning", warned);
  expect(warned).not.toHaveBeenCalled();

  const last = scopes.pop();
  for (const scope of scopes) await scope.shutdown();
  expect(listeners()).toEqual(bare.map((count) => count + 1));
  await pool.query("SELECT 1");
  expect(last && (await read(last, "orders"))).toMatchObject({ checkouts: 2, connecting: 0 });
  await last?.shutdown();
  expect(listeners()).toEqual(bare);
  expect(Reflect.get(pool, "Client")).toBe(Reflect.get(makePool(), "Client"));
});

test("a later scope's own connections are not dials of the pool", async () => {
  const pool = makePool();
  const [one, two] = [makeScope(), makeScope()];
  one.watch(pool, { name: "orders" });
  two.watch(pool, { name: "orders" });
  await two.connectionBudget();
  expect(await read(one, "orders")).toMatchObject({
    connects: 0,
    connectFailures: 0,
    connecting: 0,
    total: 0,
  });
});

test("a scope watches on where the application has removed all listeners of the pool", async () => {
  const pool = makePool();
  const [one, two] = [makeScope(), makeScope()];
  one.watch(pool, { name: "orders" });
  pool.removeAllListeners("release");
  two.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  for (const scope of [one, two])
    expect(await read(scope, "orders")).toMatchObject({ used: 0, use: { count: 1 } });
});

test("an idle client's error ends an application without a listener, watched or not", async () => {
  const pool = new pg.Pool(makePool().options);
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  const pid = await processId(client);
  client.release();
  const thrown = vi.fn();
  const handlers = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", thrown);
  await makePool().query("SELECT pg_terminate_backend($1)", [pid]);
  await until(() => thrown.mock.calls.length > 0);
  process.removeListener("uncaughtException", thrown);
  for (const handler of handlers) process.on("uncaughtException", handler);
  expect(thrown.mock.calls[0]?.[0]).toMatchObject({ code: "57P01" });
  expect((await read(scope, "orders")).closesByReason.connection_lost).toBe(1);
  await pool.end();
});

test("a pool first watched while onConnect looks at a connection counts it once", async () => {
  let letGo = () => {};
  const looking = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const looked = vi.fn();
  const onConnect = () => {
    looked();
    return looking;
  };
  const pool = makePool({ max: 1, onConnect } as pg.PoolConfig);
  const asked = pool.connect();
  await until(() => looked.mock.calls.length > 0);
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  expect(await read(scope, "orders")).toMatchObject({ total: 1, connecting: 1, used: 0 });
  letGo();
  (await asked).release();
  expect(await read(scope, "orders")).toMatchObject({ total: 1, connecting: 0, connects: 1 });
  await pool.end();
});
