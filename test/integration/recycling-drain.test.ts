/** A drain answers every caller, whatever the server and the callers do. */
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { drain, recycle } from "../../src/index.ts";
import { makePool } from "../support/pools.ts";
import { surviveUncaught } from "../support/survive.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

function drainable(kind: string, options: pg.PoolConfig): pg.Pool {
  const pool = makePool(options);
  if (kind === "recycled") recycle(pool);
  return pool;
}

test.each(["bare", "recycled"])(
  "drain() answers a caller whose dial is under way, on a %s pool",
  async (kind) => {
    const proxy = await startProxy(inject("postgres").port);
    proxy.blackhole();
    const pool = drainable(kind, { port: proxy.port, max: 2 });
    let error: Error | undefined;
    pool.connect().catch((reason) => {
      error = reason;
    });
    await until(() => proxy.connections === 1);
    await drain(pool, { timeoutMillis: 100 });
    await until(() => error, 3_000);
    expect(error).toBeInstanceOf(Error);
  },
);

test.each(["bare", "recycled"])(
  "drain() answers all callers when a callback throws, on a %s pool",
  async (kind) => {
    const caught = surviveUncaught();
    const pool = drainable(kind, { max: 1 });
    const holder = await pool.connect();
    const errors: (Error | undefined)[] = [];
    pool.connect((error) => {
      errors.push(error);
      throw new Error("a caller's own");
    });
    pool.connect((error) => void errors.push(error));
    await until(() => pool.waitingCount === 2);
    const drained = drain(pool, { timeoutMillis: 2_000 });
    await until(() => errors.length === 2, 3_000);
    holder.release();
    await expect(drained).resolves.toMatchObject({ isClean: true });
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual(
      Array(2).fill("POOLSCOPE_DRAINING"),
    );
    await until(() => caught.length === 1);
  },
);

test("drain() counts a dial under way as nothing that was not returned", async () => {
  const proxy = await startProxy(inject("postgres").port);
  proxy.blackhole();
  const pool = drainable("recycled", { port: proxy.port, max: 2 });
  pool.connect().catch(() => {});
  await until(() => proxy.connections === 1);
  const { unreturned } = await drain(pool, { timeoutMillis: 100 });
  expect(unreturned).toEqual([]);
});
