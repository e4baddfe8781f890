import {
  AggregationTemporality,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import pg from "pg";
import { expect, test } from "vitest";
import { PoolscopeError, pagerDuty, poolscope, poolscopeViews, slack, webhook } from "../../src/index.ts";
import { makeScope } from "../support/pools.ts";

function refusal(run: () => unknown): PoolscopeError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(PoolscopeError);
    expect(error).toBeInstanceOf(Error);
    return error as PoolscopeError;
  }
  throw new Error("was not refused");
}

const deltaReader = new PeriodicExportingMetricReader({
  exporter: {
    export: (_metrics: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    forceFlush: async () => {},
    shutdown: async () => {},
    selectAggregationTemporality: () => AggregationTemporality.DELTA,
  } as never,
});
const meterProvider = new MeterProvider();

test.each([
  [7, /^Expected `options` to be an object with `serviceName`, .*, got a number$/],
  [null, /^Expected `options` to be an object .*, got `null`$/],
  [[], /got an array$/],
  [
    { servicename: "x" },
    "Expected `options` to be an object without the key `servicename`: did you mean `serviceName`?",
  ],
  [{ serviceName: "" }, 'Expected `serviceName` to be a string of 1 to 255 characters, got `""` (string)'],
  [
    { thresholds: { warning: 75 } },
    "Expected `thresholds.warning` to be a number in (0, 1], got `75` (number)",
  ],
  [
    { thresholds: { critical: "0.9" } },
    'Expected `thresholds.critical` to be a number in (0, 1], got `"0.9"` (string)',
  ],
  [
    { thresholds: { warning: Number.NaN } },
    "Expected `thresholds.warning` to be a number in (0, 1], got `NaN` (number)",
  ],
  [
    { thresholds: { warning: 0.9 } },
    "Expected `thresholds.warning` to be below `thresholds.critical` (0.9), got `0.9` (number)",
  ],
  [
    { thresholds: { critical: 0.5 } },
    "Expected `thresholds.warning` to be below `thresholds.critical` (0.5), got `0.75` (number)",
  ],
  [
    { thresholds: { warn: 0.5 } },
    "Expected `thresholds` to be an object without the key `warn`: did you mean `warning`?",
  ],
  [
    { alerts: { usage: { enter: 0.6, leave: 0.7 } } },
    "Expected `alerts.usage.leave` to be at most `alerts.usage.enter` (0.6), got `0.7` (number)",
  ],
  [
    { alerts: { usage: true } },
    "Expected `alerts.usage` to be an object with `enter`, `leave`, `forMillis`, got a boolean",
  ],
  [
    { alerts: { waiting: { enterMillis: 100, leaveMillis: 200 } } },
    "Expected `alerts.waiting.leaveMillis` to be at most `alerts.waiting.enterMillis` (100), got `200` (number)",
  ],
  [{ alerts: { timeouts: { enter: 0 } } }, /^Expected `alerts.timeouts.enter` to be a whole number from 1/],
  [
    { alerts: { slowQueries: { windowMillis: 0 } } },
    /^Expected `alerts.slowQueries.windowMillis` to be a whole number from 1/,
  ],
  [
    { alerts: { down: { enter: 1 } } },
    'Expected `alerts.down` to be an object with no other keys than `forMillis`, got `"enter"` (string)',
  ],
  [{ alerts: { usages: false } }, /^Expected `alerts` to be an object without the key `usages`/],
  [{ notifiers: "https://hunter2@hooks" }, "Expected `notifiers` to be an array of notifiers, got a string"],
  [
    { notifiers: ["https://hooks/hunter2"] },
    /^Expected `notifiers\[0\]` to be a notifier: .*, got a string$/,
  ],
  [{ notifiers: [{ notify() {} }] }, /^Expected `notifiers\[0\].name` to be a string of 1 to 60 characters/],
  [
    { notifiers: [{ name: "https://hooks/hunter2", notify() {} }] },
    "Expected `notifiers[0].name` to be a name, not a URL, got a string",
  ],
  [
    { notifiers: [{ name: "mail", notify() {}, delivery: { retries: -1 } }] },
    "Expected `notifiers[0].delivery.retries` to be a whole number from 0 to 100, got `-1` (number)",
  ],
  [
    { notifiers: [webhook("https://hooks/1"), webhook("https://hooks/2")] },
    'Expected `notifiers[1].name` to be unique among the notifiers: give it another `name`, got `"webhook"` (string)',
  ],
  [
    { notifiers: [webhook("https://hooks/1")], sampleIntervalMillis: 0 },
    "Expected `sampleIntervalMillis` to be above 0: without samples `notifiers` are told nothing, got `0` (number)",
  ],
  [
    { sampleIntervalMillis: 5 },
    "Expected `sampleIntervalMillis` to be a whole number from 10 to 2147483647, or 0, got `5` (number)",
  ],
  [{ sampleIntervalMillis: 2 ** 31 }, /got `2147483648` \(number\)$/],
  [{ sampleIntervalMillis: 10.5 }, /got `10.5` \(number\)$/],
  [{ historySize: 0 }, "Expected `historySize` to be a whole number from 1 to 10000, got `0` (number)"],
  [
    { collectTimeoutMillis: Number.POSITIVE_INFINITY },
    /^Expected `collectTimeoutMillis` to be a whole number/,
  ],
  [{ nestedCheckouts: true }, 'Expected `nestedCheckouts` to be "off" or "warn", got `true` (boolean)'],
  [{ leakAfterMillis: 5 }, /^Expected `leakAfterMillis` to be a whole number from 10 to 2147483647, or 0/],
  [{ processes: -1 }, /^Expected `processes` to be a whole number from 1 to 100000, or 0/],
  [{ stuckAfterMillis: 0 }, /^Expected `stuckAfterMillis` to be a whole number from 1/],
  [
    { logger: { warn() {} } },
    "Expected `logger` to be false, or an object with the methods `debug`, `info`, `warn` and `error` (missing: `debug`, `info`, `error`), got an object",
  ],
  [
    { meterProvider },
    "Expected `reader` to be a MetricReader of `meterProvider`: add one of the readers it was made with, got `undefined`",
  ],
  [
    { reader: deltaReader },
    "Expected `meterProvider` to be a MeterProvider, because `reader` is given: add the provider it reads, got `undefined`",
  ],
  [{ meterProvider, reader: {} }, /^Expected `reader` to be a MetricReader of `meterProvider`/],
  [
    { meterProvider, reader: deltaReader },
    /^Expected `reader` to be a MetricReader with cumulative temporality/,
  ],
  [
    { meterProvider, reader: { collect() {} }, otlp: true },
    /^Expected `otlp` to be left out, because `meterProvider` has exporters of its own/,
  ],
  [{ otlp: "http://user:hunter2@collector" }, /^Expected `otlp` to be an object with/],
  [
    { otlp: { url: "collector:4318?token=hunter2" } },
    "Expected `otlp.url` to be an http:// or https:// URL, got a string",
  ],
  [
    { otlp: { headers: { "x-key": 1 } } },
    "Expected `otlp.headers` to be an object of strings, got an object",
  ],
  [
    { otlp: { temporality: "deltas" } },
    'Expected `otlp.temporality` to be "cumulative", "delta" or "lowmemory", got `"deltas"` (string)',
  ],
  [
    { otlp: { exportIntervalMillis: 0 } },
    /^Expected `otlp.exportIntervalMillis` to be a whole number from 1/,
  ],
])("poolscope(%o) is refused", (options, message) => {
  const error = refusal(() => poolscope(options as never));
  expect(error.code).toBe("POOLSCOPE_INVALID_OPTION");
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(error.message).not.toContain("hunter2");
});

test.each([
  [() => slack(undefined), /^Expected `url` of `slack\(\)` to be a URL, got `undefined`/],
  [() => slack("hooks.slack.test/hunter2"), "Expected `url` to be an http:// or https:// URL, got a string"],
  [
    () => webhook("https://user:hunter2@hooks.test/"),
    "Expected `url` to be a URL without user and password, which fetch does not take, got a string",
  ],
  [
    () => webhook("https://hooks.test/", { headers: { Authorization: "Bearer\nhunter2" } }),
    "Expected `headers` to be an object of strings that may stand in headers, got an object",
  ],
  [
    () => webhook("https://hooks.test/", { minSeverity: "hunter" as never }),
    'Expected `minSeverity` to be "info", "warning", "error" or "critical", got `"hunter"` (string)',
  ],
  [
    () => slack("https://hooks.test/", { minBackoffMillis: 50, maxBackoffMillis: 10 }),
    "Expected `maxBackoffMillis` to be at least `minBackoffMillis` (50), got `10` (number)",
  ],
  [
    () => slack("https://hooks.test/", { headers: {} } as never),
    /^Expected `options` to be an object with no other keys than `name`, .*, got `"headers"`/,
  ],
  [
    () => pagerDuty("hunter2 with blanks"),
    "Expected `routingKey` to be an integration key: letters and digits, got a string",
  ],
  [() => pagerDuty(undefined), /got `undefined`: is the environment variable/],
  [
    () => pagerDuty("hunter2", { source: "" }),
    'Expected `source` to be a string of 1 to 255 characters, got `""` (string)',
  ],
])("notifier %# is refused", (make, message) => {
  const error = refusal(make);
  expect(error.code).toBe("POOLSCOPE_INVALID_OPTION");
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(error.message).not.toContain("hunter2");
});

const pool = () => new pg.Pool({ max: 10 });

test.each([
  [undefined, /^Expected `pool` to be a pg.Pool, got `undefined`$/],
  ["postgres://user:hunter2@db/shop", /^Expected `pool` to be a pg.Pool, got a string$/],
  [
    { connectionString: "postgres://user:hunter2@db/shop" },
    /^Expected `pool` to be a pg.Pool, got an object$/,
  ],
  [new pg.Client(), /^Expected `pool` to be a pg.Pool, got an object \(Client\)$/],
  [
    Object.assign(pool(), { options: { max: "many" } }),
    /^Expected `pool` to be a pg.Pool, got an object \(BoundPool\)$/,
  ],
])("watch(%#) is refused: not a pool", (given, message) => {
  const error = refusal(() => makeScope().watch(given as never));
  expect(error.code).toBe("POOLSCOPE_INVALID_POOL");
  expect(error.message).toMatch(message);
});

test.each([
  [
    { name: "postgres://user:hunter2@db/shop" },
    "Expected `name` to be a name, not a connection string, got a string",
  ],
  [{ name: "" }, /^Expected `name` to be a string of 1 to 120 characters/],
  [
    { name: "x".repeat(121) },
    /^Expected `name` to be a string of 1 to 120 characters, got `"x{60}…"` \(string\)$/,
  ],
  [{ Name: "orders" }, "Expected `options` to be an object without the key `Name`: did you mean `name`?"],
  [{ poolSize: 11 }, "Expected `poolSize` to be a whole number from 1 to 10, got `11` (number)"],
  [{ poolSize: 0 }, /^Expected `poolSize`/],
  [
    { attributes: [] },
    "Expected `attributes` to be an object of strings, numbers and booleans, got an array",
  ],
  [
    { attributes: { tier: {} } },
    "Expected `attributes.tier` to be a string, a number or a boolean, got an object",
  ],
  [
    { attributes: { "db.namespace": "x" } },
    "Expected `attributes` to leave `db.namespace` out: poolscope sets it",
  ],
])("watch(pool, %o) is refused, and the pool is untouched", (options, message) => {
  const untouched = pool();
  const error = refusal(() => makeScope().watch(untouched, options as never));
  expect(error.code).toBe("POOLSCOPE_INVALID_OPTION");
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(Object.hasOwn(untouched, "connect")).toBe(false);
});

test("a name is given once; a pool has one name", () => {
  const scope = makeScope();
  const orders = pool();
  scope.watch(orders, { name: "orders" });
  const taken = refusal(() => scope.watch(pool(), { name: "orders" }));
  expect(taken).toMatchObject({
    code: "POOLSCOPE_DUPLICATE_NAME",
    message: 'Expected `name` to be unique among the watched pools, got `"orders"` (string)',
  });
  const renamed = refusal(() => scope.watch(orders, { name: "billing" }));
  expect(renamed).toMatchObject({
    code: "POOLSCOPE_DUPLICATE_NAME",
    message: 'Expected `name` to be "orders", under which this pool is watched, got `"billing"` (string)',
  });
});

test("what looks like a connection string is never quoted, wherever it was put", async () => {
  const secret = "postgres://user:hunter2@db/shop";
  const scope = makeScope();
  const refusals = [
    refusal(() => poolscope({ logger: secret as never })),
    refusal(() => poolscope({ [secret]: 1 } as never)),
    refusal(() => scope.on(secret as never, () => {})),
    await scope.holders(secret).catch((error: PoolscopeError) => error),
  ];
  for (const error of refusals) expect((error as Error).message).toMatch(/^Expected .*, got a string$/);
});

test("health, history and shutdown check what they are given", async () => {
  const scope = makeScope();
  expect(refusal(() => scope.health({ cacheMillis: -1 })).message).toMatch(/^Expected `cacheMillis`/);
  expect(refusal(() => scope.history("orders", 0)).message).toMatch(
    /^Expected `limit` to be a whole number from 1/,
  );
  expect(refusal(() => void scope.shutdown({ timeoutMillis: 0 })).message).toMatch(
    /^Expected `timeoutMillis`/,
  );
});

test("after shutdown nothing can be watched or read; shutdown again is fine", async () => {
  const scope = makeScope();
  const watched = pool();
  scope.watch(watched);
  await scope.shutdown();
  await scope.shutdown();
  await scope[Symbol.asyncDispose]();
  expect(Object.hasOwn(watched, "connect")).toBe(false);
  expect(refusal(() => scope.watch(pool())).code).toBe("POOLSCOPE_SHUT_DOWN");
  await expect(scope.readings()).rejects.toMatchObject({ code: "POOLSCOPE_SHUT_DOWN" });
});

test("views know the values of queries", () => {
  expect(poolscopeViews().map(({ instrumentName }) => instrumentName)).toEqual([
    "db.client.connection.*",
    "db.client.operation.duration",
  ]);
  expect(poolscopeViews({ queries: "instrumentation-pg" })).toEqual(poolscopeViews({ queries: "poolscope" }));
  expect(poolscopeViews({ queries: "off" })).toHaveLength(1);
  expect(refusal(() => poolscopeViews({ queries: "on" as never })).message).toBe(
    'Expected `queries` to be "poolscope", "instrumentation-pg" or "off", got `"on"` (string)',
  );
});

test("undefined is the same as left out", () => {
  const scope = makeScope({ serviceName: undefined, thresholds: { warning: undefined }, otlp: undefined });
  expect(scope.watch(new pg.Pool({ database: "shop" }), { name: undefined, poolSize: undefined }).name).toBe(
    "shop",
  );
});

test("errors of another copy of poolscope are recognised", () => {
  const foreign = Object.defineProperty(new Error("x"), Symbol.for("poolscope.error"), { value: true });
  expect(foreign).toBeInstanceOf(PoolscopeError);
  expect(new Error("x")).not.toBeInstanceOf(PoolscopeError);
});
