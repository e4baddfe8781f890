import { expect, test, vi } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

function spyLogger() {
  return { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

/** A pool whose statements are all slow, and the lines that they get. */
function watchFlooded() {
  const logger = spyLogger();
  const scope = makeScope({ logger, slowQueryMillis: 1 });
  const pool = makePool({ max: 10 });
  scope.watch(pool, { name: "orders" });
  const lines = () => logger.warn.mock.calls.flat() as string[];
  const slow = (name: string) => pool.query(`SELECT pg_sleep(0.005) AS ${name}`);
  return { scope, lines, slow };
}

async function flood(slow: (name: string) => Promise<unknown>, statements: number): Promise<void> {
  await Promise.all(Array.from({ length: statements }, (_, index) => slow(`column_${index}`)));
}

test("a new slow query has its line soon after a thousand others, and the rest are summed up", async () => {
  const { scope, lines, slow } = watchFlooded();
  await flood(slow, 1_012);
  const atOnce = lines().length;
  expect(atOnce).toBeGreaterThanOrEqual(100);
  expect(atOnce).toBeLessThan(200);
  await slow("honest_one");
  await slow("honest_two");
  for (const name of ["honest_one", "honest_two"]) {
    await until(() => lines().some((line) => line.endsWith(`AS ${name}`)));
  }
  await scope.shutdown();
  const logged = lines().filter((line) => line.includes("slow query ")).length;
  const sum = lines().filter((line) => line.includes("not logged"));
  const left = 1_014 - logged;
  expect(sum).toEqual([
    expect.stringMatching(
      new RegExp(
        `^poolscope - slow queries not logged: ${left} queries of ${left} statements in \\d+ s, the slowest \\d+(\\.\\d)? ms ` +
          "\\(pool=orders, fingerprint=[0-9a-f]{16}\\): SELECT pg_sleep\\(\\?\\) AS column_\\d+; scope.slowQueries\\(\\) has the worst$",
      ),
    ),
  ]);
}, 60_000);

test("a statement that goes on through a flood has its line", async () => {
  const { lines, slow } = watchFlooded();
  await flood(slow, 150);
  let round = 0;
  await until(async () => {
    await Promise.all([slow("again"), flood(slow, 150 + ++round)]);
    return lines().some((line) => line.endsWith("AS again"));
  }, 20_000);
}, 60_000);
