import express from "express";
import request from "supertest";
import { expect, test, vi } from "vitest";
import type { HealthOptions } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

function makeApp(options: HealthOptions) {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const app = express();
  app.use("/health", scope.health({ cacheMillis: 0, ...options }));
  const components = async () => (await request(app).get("/health")).body.components;
  return { scope, app, components };
}

const healthy = (): boolean => true;
const never = () => new Promise<never>(() => {});

test("components count for the whole: critical, warning, unknown", async () => {
  const status = async (status: "healthy" | "warning" | "critical" | "unknown") => {
    const { app } = makeApp({ components: { cache: () => ({ status }) } });
    const { body, status: code } = await request(app).get("/health");
    return [body.status, code];
  };
  expect(await status("healthy")).toEqual(["healthy", 200]);
  expect(await status("warning")).toEqual(["warning", 200]);
  expect(await status("unknown")).toEqual(["degraded", 200]);
  expect(await status("critical")).toEqual(["critical", 503]);
});

test.each([
  ["true", () => true, { status: "healthy" }],
  ["false", () => false, { status: "critical" }],
  [
    "a thrown error",
    () => {
      throw new TypeError("postgres://user:sw0rdfish@host");
    },
    { status: "critical", message: "the check failed: TypeError" },
  ],
  [
    "a rejection with a code",
    () => Promise.reject(Object.assign(new Error("sw0rdfish"), { code: "ECONNREFUSED" })),
    { status: "critical", message: "the check failed: ECONNREFUSED" },
  ],
  [
    "nothing",
    () => undefined,
    { status: "unknown", message: "the check returned neither a boolean nor an object with a status" },
  ],
  [
    "a status nobody knows",
    () => ({ status: "sw0rdfish" }),
    {
      status: "unknown",
      message: "the check returned a status that is none of healthy, warning, critical, unknown",
    },
  ],
])("a check that gives %s", async (_case, check, expected) => {
  const { components } = makeApp({ components: { cache: check as never }, details: "always" });
  const { cache } = await components();
  expect(cache).toEqual(expected);
});

test("what a check returns besides its status is a detail", async () => {
  const check = () => ({ status: "healthy", latency_ms: 3, hosts: ["a"] }) as const;
  const cyclic: Record<string, unknown> = { status: "warning" };
  cyclic["self"] = cyclic;
  const components = {
    cache: check,
    odd: () => cyclic as never,
    big: () => ({ status: "healthy", n: 1n }) as const,
  };
  expect(await makeApp({ components }).components()).toMatchObject({ cache: { status: "healthy" } });
  expect((await makeApp({ components }).components()).cache).toEqual({ status: "healthy" });
  const shown = await makeApp({ components, details: "always" }).components();
  expect(shown.cache).toEqual({ status: "healthy", latency_ms: 3, hosts: ["a"] });
  expect(shown.odd).toEqual({ status: "warning" });
  expect(shown.big).toEqual({ status: "healthy" });
});

test("one that hangs is critical after its deadline, delays no other, and is not called again", async () => {
  const signals: AbortSignal[] = [];
  const hanging = vi.fn((signal: AbortSignal) => {
    signals.push(signal);
    return never();
  });
  const { components } = makeApp({
    components: { cache: { check: hanging, timeoutMillis: 50, cacheMillis: 0 }, mail: () => true },
  });
  const before = performance.now();
  const first = await components();
  expect(performance.now() - before).toBeLessThan(5_000);
  expect(first).toMatchObject({
    mail: { status: "healthy" },
    cache: { status: "critical", message: "no answer within 50 ms" },
    database: { status: "healthy" },
  });
  expect(signals[0]?.aborted).toBe(true);
  const { cache } = await components();
  expect(cache).toMatchObject({
    status: "critical",
    message: expect.stringMatching(/^no answer for \d+\.\d s$/),
  });
  expect(hanging).toHaveBeenCalledTimes(1);
});

test("one that hung and settled is called again", async () => {
  let settle = () => {};
  const check = vi.fn(
    (): Promise<boolean> =>
      new Promise((resolve) => {
        settle = () => resolve(true);
      }),
  );
  const { components } = makeApp({ components: { cache: { check, timeoutMillis: 20, cacheMillis: 0 } } });
  expect((await components()).cache.status).toBe("critical");
  settle();
  check.mockImplementation(async () => true);
  await until(async () => (await components()).cache.status === "healthy");
});

test("a check runs once at a time, and its answer serves for cacheMillis", async () => {
  const check = vi.fn(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return true;
  });
  const { app } = makeApp({ components: { cache: { check, cacheMillis: 60_000 } } });
  await Promise.all(Array.from({ length: 30 }, () => request(app).get("/health").expect(200)));
  await request(app).get("/health").expect(200);
  expect(check).toHaveBeenCalledTimes(1);
});

test("only a component that is needed makes the application unready", async () => {
  const check = () => false;
  await request(makeApp({ components: { cache: check } }).app)
    .get("/health/ready")
    .expect(200);
  const { app } = makeApp({ components: { cache: { check, neededForReadiness: true } } });
  const { body } = await request(app).get("/health/ready").expect(503);
  expect(body).toMatchObject({ status: "not_ready", reasons: ["cache: critical"] });
});

test("ping asks each server beside its pool", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.use("/health", scope.health({ ping: { cacheMillis: 0 }, details: "always", cacheMillis: 0 }));
  const client = await pool.connect();
  const { ping } = (await request(app).get("/health")).body.components;
  expect(ping).toEqual({
    status: "healthy",
    pools: { orders: { is_reachable: true, seconds: expect.any(Number) } },
  });
  expect([pool.totalCount, pool.waitingCount]).toEqual([1, 0]);
  client.release();
  const down = makePool({ port: 1 });
  scope.watch(down, { name: "reports" });
  const { body } = await request(app).get("/health").expect(503);
  expect(body.components.ping).toMatchObject({
    status: "critical",
    pools: { orders: { is_reachable: true }, reports: { is_reachable: false, code: "ECONNREFUSED" } },
  });
  expect(down.totalCount).toBe(0);
});

test.each([
  [{ components: [] }, "Expected `components` to be an object of functions, got an array"],
  [{ components: { ping: () => true } }, 'without the names `database` and `ping`, got `"ping"` (string)'],
  [
    { components: { cache: "redis://u:sw0rdfish@h" } },
    "Expected `components.cache` to be a function, or an object with a function `check`, got a string",
  ],
  [{ components: { cache: {} } }, "Expected `components.cache.check` to be a function, got `undefined`"],
  [
    { components: { cache: { check: healthy, timeoutMillis: 0 } } },
    "Expected `components.cache.timeoutMillis` to be a whole number from 1",
  ],
  [
    { components: { cache: { check: healthy, neededForReadiness: 1 } } },
    "Expected `components.cache.neededForReadiness` to be true or false, got `1` (number)",
  ],
  [
    { ping: "yes" },
    "Expected `ping` to be an object with `timeoutMillis`, `cacheMillis`, `neededForReadiness`, got a string",
  ],
])("%j is refused", (options, message) => {
  expect(() => makeScope().health(options as never)).toThrow(message);
});
