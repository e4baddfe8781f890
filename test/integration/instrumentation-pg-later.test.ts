import { createRequire } from "node:module";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import { expect, test } from "vitest";
import { makePool, makeScope, read } from "../support/pools.ts";
import { recordSpans } from "../support/tracing.ts";

const require = createRequire(import.meta.url);
const takeSpans = recordSpans();

test("the official instrumentation sees a pool that was watched before it was enabled, and no more once disabled", async () => {
  const { Client } = require("pg");
  const Pool = createRequire(require.resolve("pg"))("pg-pool");
  const pool = makePool({ max: 1 });
  const scope = makeScope();
  scope.watch(pool, { name: "orders" });
  // A connection that is there before, and its hooks with it.
  await pool.query("SELECT 1");
  expect(takeSpans()).toEqual([]);

  const instrumentation = new PgInstrumentation({ enabled: false });
  const patches = instrumentation.getModuleDefinitions().map(({ name, patch, unpatch }) => {
    const exports = name === "pg" ? { Client } : Pool;
    return { on: () => patch?.(exports), off: () => unpatch?.(exports) };
  });
  for (const { on } of patches) on();
  await pool.query("SELECT 1");
  const spans = takeSpans();
  for (const { off } of patches) off();
  await pool.query("SELECT 1");

  expect(spans.map((name) => name.split(" ")[0])).toEqual(
    expect.arrayContaining(["pg-pool.connect", "pg.query:SELECT"]),
  );
  expect(takeSpans()).toEqual([]);
  expect(await read(scope, "orders")).toMatchObject({ checkouts: 3, used: 0, query: { count: 3 } });
});
