import type pg from "pg";
import { expect, test } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";

// Apart from watch.test.ts because the oldest supported pg-pool has no such hook.

test("a failing onConnect hook is a failed connect", async () => {
  const scope = makeScope();
  const hooked = makePool({ onConnect: () => Promise.reject(new RangeError("no")) } as pg.PoolConfig);
  scope.watch(hooked, { name: "hooked" });
  await expect(hooked.connect()).rejects.toThrow("no");
  expect((await scope.readings())[0]).toMatchObject({
    connectFailures: 1,
    connects: 0,
    closes: 0,
    connecting: 0,
    used: 0,
  });
});
