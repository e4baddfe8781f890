import { expect, test, vi } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const quiet = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

test("history keeps the last samples, oldest first, 10 of them unless asked for more", async () => {
  const scope = makeScope({ sampleIntervalMillis: 10, historySize: 12 });
  scope.watch(makePool({ max: 3 }), { name: "orders" });
  const first = await until(() => scope.history("orders", 1)[0]);
  await until(
    () =>
      scope.history("orders", 100).length === 12 &&
      !scope.history("orders", 100).some(({ timestamp }) => timestamp === first.timestamp),
  );
  expect(scope.history("orders")).toHaveLength(10);
  const times = scope.history("orders", 100).map(({ timestamp }) => timestamp);
  expect(times).toHaveLength(12);
  expect(times).toEqual([...times].sort());
  expect(scope.history("nobody")).toEqual([]);
});

test("peaks and durations in a sample are those since the sample before", async () => {
  const scope = makeScope({ sampleIntervalMillis: 20 });
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  await until(() => scope.history("orders").length >= 1);
  const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
  for (const client of clients) client.release();
  await until(() => scope.history("orders", 100).some(({ peakUsed }) => peakUsed === 3));
  const at = scope.history("orders", 100).findIndex(({ peakUsed }) => peakUsed === 3);
  const after = await until(() => scope.history("orders", 100)[at + 2]);
  expect(after).toMatchObject({ peakUsed: 0, used: 0, checkouts: 3, wait: { count: 0 } });
  const counted = scope.history("orders", 100).reduce((sum, { wait }) => sum + wait.count, 0);
  expect(counted).toBe(3);
});

test("an error in one round is logged, and the next round runs", async () => {
  const logger = quiet();
  const scope = makeScope({ sampleIntervalMillis: 10, logger });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await until(() => scope.history("orders").length > 0);
  Object.defineProperty(pool, "idleCount", {
    configurable: true,
    get() {
      throw new Error("broken for a while");
    },
  });
  await until(() => logger.error.mock.calls.length > 1);
  expect(logger.error.mock.calls[0]?.[0]).toMatch(
    /^poolscope - a sample was lost: .*broken for a while; the next one is due in 10 ms$/,
  );
  const before = scope.history("orders", 100).length;
  Reflect.deleteProperty(pool, "idleCount");
  await until(() => scope.history("orders", 100).length > before);
});

test("sampling stops at shutdown", async () => {
  const scope = makeScope({ sampleIntervalMillis: 10 });
  scope.watch(makePool(), { name: "orders" });
  await until(() => scope.history("orders").length > 0);
  await scope.shutdown();
  const { length } = scope.history("orders", 100);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(scope.history("orders", 100)).toHaveLength(length);
});

test("crossing into high usage is logged once, and out of it once, with the numbers and the knob", async () => {
  const logger = quiet();
  const scope = makeScope({
    sampleIntervalMillis: 10,
    logger,
    alerts: { usage: { enter: 0.8, leave: 0.5 } },
  });
  const pool = makePool({ max: 5, min: 3, connectionTimeoutMillis: 30_000 });
  scope.watch(pool, { name: "orders" });
  const clients = await Promise.all(Array.from({ length: 4 }, () => pool.connect()));
  const samples = (used: number, count: number) =>
    until(() => scope.history("orders", 100).filter((sample) => sample.used === used).length >= count);
  await samples(4, 4);
  expect(logger.warn.mock.calls).toEqual([
    ["orders - usage high 80% (total=4, used=4, idle=0, waiting=0, max=5); raise max or look for long holds"],
  ]);
  expect(logger.info.mock.calls).toEqual([
    ["orders - 1 in use beyond the pool size of 3 80% (total=4, used=4, idle=0, waiting=0, max=5)"],
  ]);
  clients.pop()?.release();
  await samples(3, 3);
  // Between `leave` and `enter` nothing is said of usage.
  expect(logger.info.mock.calls.slice(1)).toEqual([
    [
      "orders - none in use beyond the pool size of 3 any more 60% (total=4, used=3, idle=1, waiting=0, max=5)",
    ],
  ]);
  clients.pop()?.release();
  await samples(2, 3);
  expect(logger.info.mock.calls[2]).toEqual([
    "orders - usage back to normal 40% (total=4, used=2, idle=2, waiting=0, max=5)",
  ]);
  clients.push(await pool.connect(), await pool.connect());
  await samples(4, 8);
  expect(logger.warn).toHaveBeenCalledTimes(2);
});

test("a logger that throws disturbs nothing", async () => {
  const fail = () => {
    throw new Error("disk full");
  };
  const scope = makeScope({
    sampleIntervalMillis: 10,
    logger: { debug: fail, info: fail, warn: fail, error: fail },
  });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.connect();
  await until(() => scope.history("orders").filter(({ used }) => used === 1).length > 2);
});
