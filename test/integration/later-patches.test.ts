import type pg from "pg";
import { afterEach, expect, test, vi } from "vitest";
import { PgPool } from "../support/pg.ts";
import { pgOptions } from "../support/pg-options.ts";
import { makePool, makeScope, read } from "../support/pools.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a stub of the prototype's query that comes after the watch answers, and goes again", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const stub = vi.spyOn(PgPool.prototype, "query").mockImplementation(async () => "stubbed");
  expect(await pool.query("SELECT 1")).toBe("stubbed");
  expect(stub).toHaveBeenCalledOnce();
  expect(stub.mock.contexts[0]).toBe(pool);
  expect(await read(scope, "orders")).toMatchObject({ requests: 0, total: 0 });
  stub.mockRestore();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  expect(await read(scope, "orders")).toMatchObject({ requests: 1, checkouts: 1, used: 0 });
});

test("a patch of the prototype's connect that comes after the watch sees pool.query's checkouts too", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const spy = vi.spyOn(PgPool.prototype, "connect");
  await pool.query("SELECT 1");
  (await pool.connect()).release();
  expect(spy).toHaveBeenCalledTimes(2);
  spy.mockRestore();
  await pool.query("SELECT 1");
  expect(spy).not.toHaveBeenCalled();
  expect(await read(scope, "orders")).toMatchObject({ requests: 3, checkouts: 3, used: 0 });
});

test("a patch that was there before the watch, and is taken out, is not called any more", async () => {
  const spy = vi.spyOn(PgPool.prototype, "connect");
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  expect(spy).toHaveBeenCalledOnce();
  spy.mockRestore();
  await pool.query("SELECT 1");
  expect(spy).not.toHaveBeenCalled();
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 2 });
});

test("a patch of the client's query that comes after its connection was opened is called", async () => {
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  const client = await pool.connect();
  const spy = vi.spyOn(Object.getPrototypeOf(client) as pg.Client, "query");
  await client.query("SELECT 1");
  client.release();
  await pool.query("SELECT 1");
  expect(spy).toHaveBeenCalledTimes(2);
});

test("a stub of the watched pool's own method answers, and the watch is back when it is restored", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const stub = vi.spyOn(pool, "query").mockImplementation(async () => "stubbed");
  expect(await pool.query("SELECT 1")).toBe("stubbed");
  stub.mockRestore();
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 1 });
});

/** Subclasses as applications write them; each calls pg-pool's own method in the end. */
const subclasses: Record<string, new (options: pg.PoolConfig) => pg.Pool> = {
  "that logs": class extends PgPool {
    override query(...args: unknown[]): never {
      return Reflect.apply(super.query, this, args) as never;
    }
    override connect(...args: unknown[]): never {
      return Reflect.apply(super.connect, this, args) as never;
    }
  },
  "with an async connect": class extends PgPool {
    override async connect(...args: unknown[]): Promise<never> {
      const client = await (Reflect.apply(super.connect, this, args) as Promise<never>);
      return client;
    }
  },
  "that awaits something first": class extends PgPool {
    override async connect(...args: unknown[]): Promise<never> {
      await Promise.resolve();
      return (await Reflect.apply(super.connect, this, args)) as never;
    }
  },
};

test.each(Object.entries(subclasses))("a pool of a subclass %s is counted", async (_, Subclass) => {
  const pool = new Subclass(pgOptions({ max: 2 }));
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  expect(await read(scope, "orders")).toMatchObject({ requests: 1, checkouts: 1, used: 1, waiting: 0 });
  client.release();
  await pool.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({
    requests: 2,
    checkouts: 2,
    used: 0,
    use: { count: 2 },
    wait: { count: 2 },
  });
  await pool.end();
});

test.each(Object.entries(subclasses))(
  "a failure of a subclass %s reaches the application once",
  async (_, Subclass) => {
    const pool = new Subclass(pgOptions({ port: 1 }));
    const scope = makeScope();
    scope.watch(pool, { name: "orders" });
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    await expect(pool.connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(await read(scope, "orders")).toMatchObject({ requests: 1, checkouts: 0, connectFailures: 1 });
    await pool.end();
  },
);

test("a connect that tries again counts the connection it got in the end", async () => {
  let attempts = 0;
  class Retrying extends PgPool {
    // Two promises of the pool's own kind for one request.
    override connect(): Promise<never> {
      return new (this as unknown as { Promise: PromiseConstructor }).Promise<never>((resolve, reject) => {
        attempts++;
        new (this as unknown as { Promise: PromiseConstructor }).Promise<never>((_resolve, failed) =>
          failed(new Error("first attempt")),
        ).catch(() => {
          super.connect().then((client) => resolve(client as never), reject);
        });
      });
    }
  }
  const pool = new Retrying(pgOptions({ max: 1 }));
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const held = (await pool.connect()) as pg.PoolClient;
  expect(await read(scope, "orders")).toMatchObject({ requests: 1, checkouts: 1, used: 1 });
  held.release();
  expect(attempts).toBe(1);
  await pool.end();
});

test("a Proxy of a watched pool counts", async () => {
  const pool = makePool({ max: 2 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const plain = new Proxy(pool, {});
  const seen: PropertyKey[] = [];
  const logging = new Proxy(pool, {
    get(target, key, receiver) {
      seen.push(key);
      return Reflect.get(target, key, receiver);
    },
  });
  for (const proxy of [plain, logging]) {
    await proxy.query("SELECT 1");
    (await proxy.connect()).release();
    await new Promise<void>((resolve, reject) => {
      proxy.connect((error, _client, release) => {
        release();
        if (error) reject(error);
        else resolve();
      });
    });
  }
  expect(await read(scope, "orders")).toMatchObject({
    requests: 6,
    checkouts: 6,
    used: 0,
    use: { count: 6 },
  });
  // What pg-pool does it still does through the Proxy.
  expect(seen).toContain("options");
});

test("the watch of a Proxy counts what the pool itself does", async () => {
  const pool = makePool({ max: 2 });
  const proxy = new Proxy(pool, {});
  const scope = makeScope();
  scope.watch(proxy, { name: "orders" });
  await pool.query("SELECT 1");
  await proxy.query("SELECT 1");
  expect(await read(scope, "orders")).toMatchObject({ requests: 2, checkouts: 2, used: 0, total: 1 });
  expect(scope.watch(pool).name).toBe("orders");
  expect(await scope.readings()).toHaveLength(1);
});

test("another pool that borrows the method is not counted", async () => {
  const pool = makePool();
  const other = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  scope.watch(other, { name: "other" });
  await Reflect.apply(pool.query, other, ["SELECT 1"]);
  expect(await read(scope, "orders")).toMatchObject({ requests: 0 });
  expect(await read(scope, "other")).toMatchObject({ requests: 1, checkouts: 1 });
});

test("queries through a Proxy of a client are measured", async () => {
  const pool = makePool();
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await new Proxy(client, {}).query("SELECT 1");
  client.release();
  expect(await read(scope, "orders")).toMatchObject({ query: { count: 1 } });
});
