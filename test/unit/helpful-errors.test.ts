import pg from "pg";
import { expect, test } from "vitest";
import { PoolscopeError, pagerDuty, poolscope, recycle, slack, webhook } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(PoolscopeError);
    return (error as PoolscopeError).message;
  }
  throw new Error("was not refused");
}

test.each([
  ["servicename", "serviceName"],
  ["serviseName", "serviceName"],
  ["leakAfter", "leakAfterMillis"],
  ["leakAfterMs", "leakAfterMillis"],
  ["sampleInterval", "sampleIntervalMillis"],
  ["slowQuery", "slowQueryMillis"],
  ["threshold", "thresholds"],
  ["loger", "logger"],
  ["notifires", "notifiers"],
])("the misspelt option %s names %s as the likely one", (given, meant) => {
  expect(messageOf(() => poolscope({ [given]: 1 } as never))).toBe(
    `Expected \`options\` to be an object without the key \`${given}\`: did you mean \`${meant}\`?`,
  );
});

test("misspelt options of every function name the likely one", () => {
  const scope = makeScope();
  const meant = (run: () => unknown) => /: did you mean `(\w+)`\?$/.exec(messageOf(run))?.[1];
  expect(meant(() => poolscope({ thresholds: { warn: 0.5 } } as never))).toBe("warning");
  expect(meant(() => poolscope({ alerts: { usages: false } } as never))).toBe("usage");
  expect(meant(() => poolscope({ otlp: { interval: 1 } } as never))).toBe("exportIntervalMillis");
  expect(meant(() => scope.watch(new pg.Pool(), { Name: "orders" } as never))).toBe("name");
  expect(meant(() => scope.health({ component: {} } as never))).toBe("components");
  expect(meant(() => scope.shedLoad({ pool: ["orders"] } as never))).toBe("pools");
  expect(meant(() => scope.routes({ servertiming: true } as never))).toBe("serverTiming");
  expect(meant(() => recycle(new pg.Pool(), { maxLifetime: 1 } as never))).toBe("maxLifetimeSeconds");
  expect(meant(() => slack("https://hooks.test/", { severity: "error" } as never))).toBe("minSeverity");
});

test("an option that is near to none is named beside those there are", () => {
  expect(messageOf(() => poolscope({ alerts: { down: { enter: 1 } } } as never))).toBe(
    'Expected `alerts.down` to be an object with no other keys than `forMillis`, got `"enter"` (string)',
  );
});

test("a pool given to poolscope() is answered with where it belongs", () => {
  expect(messageOf(() => poolscope(new pg.Pool() as never))).toBe(
    "Expected `options` to be options: a pool is watched by the scope, `poolscope().watch(pool)`, got an object (BoundPool)",
  );
});

test("an instance given as options is named by its class, not by its first key", () => {
  expect(messageOf(() => poolscope(new pg.Client() as never))).toMatch(/, got an object \(Client\)$/);
});

test.each([
  ["slack()", "url", "a URL", () => slack(undefined)],
  ["webhook()", "url", "a URL", () => webhook(undefined)],
  ["pagerDuty()", "routingKey", "an integration key", () => pagerDuty(undefined)],
])("%s without its argument asks for the environment variable", (notifier, option, expectation, make) => {
  expect(messageOf(make)).toBe(
    `Expected \`${option}\` of \`${notifier}\` to be ${expectation}, got \`undefined\`: is the environment variable that it is read from set?`,
  );
});

test("a meterProvider that is none is refused for what it lacks, not for the reader", () => {
  expect(messageOf(() => poolscope({ meterProvider: {} as never }))).toBe(
    "Expected `meterProvider` to be a MeterProvider, as `new MeterProvider()` of @opentelemetry/sdk-metrics is one, with a method `getMeter`, got an object",
  );
});

test.each([
  ["$client", (pool: pg.Pool) => ({ $client: pool })],
  ["$pool", (pool: pg.Pool) => ({ $pool: pool })],
  ["driver.master", (pool: pg.Pool) => ({ driver: { master: pool } })],
])("a library given to watch() is answered with the place of its pool: %s", (place, library) => {
  expect(messageOf(() => makeScope().watch(library(new pg.Pool()) as never))).toBe(
    `Expected \`pool\` to be a pg.Pool (the one in its \`${place}\`), got an object`,
  );
});

test("a library whose getters throw is refused as any other object", () => {
  const library = new Proxy(
    {},
    {
      get(_target, key) {
        if (key === "$client" || key === "driver") throw new Error("not connected");
        return undefined;
      },
    },
  );
  expect(messageOf(() => makeScope().watch(library as never))).toMatch(
    /^Expected `pool` to be a pg.Pool, got/,
  );
});

test("a pool whose end() was called is refused, and one that ends under watch keeps its watch", async () => {
  const scope = makeScope();
  const ended = makePool();
  await ended.end();
  expect(messageOf(() => scope.watch(ended))).toBe(
    "Expected `pool` to be a pg.Pool that is open: `end()` of this one was called, make a new one, got an object (BoundPool)",
  );
  const pool = makePool();
  const client = await pool.connect();
  const watched = scope.watch(pool, { name: "orders" });
  const ending = pool.end();
  expect(scope.watch(pool)).toBe(watched);
  client.release();
  await ending;
});

test("an unknown pool is answered with the names of those that are watched", async () => {
  const scope = makeScope();
  const message = (known: string) =>
    `Expected \`name\` to be the name of a watched pool${known}, got \`"ordrs"\` (string)`;
  await expect(scope.holders("ordrs")).rejects.toMatchObject({
    code: "POOLSCOPE_UNKNOWN_POOL",
    message: message(", and none is watched yet"),
  });
  const pools = [makePool(), makePool()];
  scope.watch(pools[0] as pg.Pool, { name: "orders" });
  scope.watch(pools[1] as pg.Pool, { name: "reports" });
  await expect(scope.holders("ordrs")).rejects.toMatchObject({ message: message(": `orders`, `reports`") });
  expect(messageOf(() => scope.shedLoad({ pools: ["ordrs"] }))).toContain(": `orders`, `reports`, got");
});

test("of many watched pools twenty are named", async () => {
  const scope = makeScope();
  const pools = Array.from({ length: 23 }, () => makePool());
  for (const [at, pool] of pools.entries()) scope.watch(pool, { name: `tenant-${at}` });
  await expect(scope.holders("acme")).rejects.toThrow(/: `tenant-0`, .*`tenant-19` and 3 more, got/);
});
