import { expect, test } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";

test("every number of a reading is finite: of a new pool, one at work, and one whose dial failed", async () => {
  const scope = makeScope();
  const pools = { fresh: makePool(), working: makePool(), down: makePool({ port: 1 }) };
  for (const [name, pool] of Object.entries(pools)) scope.watch(pool, { name });
  expect(infinite(await scope.readings())).toEqual([]);
  await pools.working.query("SELECT 1");
  await expect(pools.down.query("SELECT 1")).rejects.toThrow("ECONNREFUSED");
  expect(infinite(await scope.readings())).toEqual([]);
  const [, working, down] = await scope.readings();
  expect(working?.connectFailingSeconds).toBe(0);
  expect(down?.connectFailingSeconds).toBeGreaterThan(0);
});

/** The paths of numbers that JSON would turn into null. */
function infinite(value: unknown, path = "readings"): string[] {
  if (typeof value === "number") return Number.isFinite(value) ? [] : [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => infinite(inner, `${path}.${key}`));
}
