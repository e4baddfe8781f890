import pg from "pg";
import { expect, test } from "vitest";
import {
  drain,
  flush,
  PoolscopeError,
  poolOptions,
  type RecycleOptions,
  recycle,
  warm,
} from "../../src/index.ts";
import { idleLimitAdvice, poolAdvice, recycleAdvice } from "../../src/watch/pool-advice.ts";

const pool = () => new pg.Pool({ max: 10, min: 2 } as pg.PoolConfig);

test.each<[object, string]>([
  [
    { pingAfterIdleMillis: -1 },
    "Expected `pingAfterIdleMillis` to be a whole number from 0 to 2147483647, got `-1` (number)",
  ],
  [
    { pingTimeoutMillis: 5 },
    "Expected `pingTimeoutMillis` to be a whole number from 10 to 2147483647, got `5` (number)",
  ],
  [
    { failuresToFlush: 1.5 },
    "Expected `failuresToFlush` to be a whole number from 1 to 2147483647, or 0, got `1.5` (number)",
  ],
  [
    { maxLifetimeSeconds: 0.5 },
    "Expected `maxLifetimeSeconds` to be a whole number from 1 to 2592000, or 0, got `0.5` (number)",
  ],
  [{ lifetimeJitter: 2 }, "Expected `lifetimeJitter` to be a number in (0, 1], got `2` (number)"],
  [
    { keepAliveSeconds: "60" },
    'Expected `keepAliveSeconds` to be a whole number from 1 to 2592000, or 0, got `"60"` (string)',
  ],
  [{ evictReadOnly: 1 }, "Expected `evictReadOnly` to be true or false, got `1` (number)"],
  [
    { transactionAtRelease: "commit" },
    'Expected `transactionAtRelease` to be "rollback", "destroy" or "ignore", got `"commit"` (string)',
  ],
  [{ maxWaiting: -1 }, "Expected `maxWaiting` to be a whole number from 0 to 2147483647, got `-1` (number)"],
  [
    { dialRetryMillis: 3 },
    "Expected `dialRetryMillis` to be a whole number from 10 to 2147483647, or 0, got `3` (number)",
  ],
  [
    { logger: {} },
    "Expected `logger` to be false, or an object with the methods `debug`, `info`, `warn` and `error`, got an object",
  ],
])("recycle(pool, %o) is refused, and the pool is untouched", (options, message) => {
  const untouched = pool();
  const before = Object.getOwnPropertyNames(untouched);
  const refused = () => recycle(untouched, options as RecycleOptions);
  expect(refused).toThrow(PoolscopeError);
  expect(refused).toThrow(message);
  expect(Object.getOwnPropertyNames(untouched)).toEqual(before);
});

test("an option that does not exist is refused, and a typing mistake is named", () => {
  expect(() => recycle(pool(), { maxLifeTimeSeconds: 1 } as RecycleOptions)).toThrow(
    /the key `maxLifeTimeSeconds`: did you mean `maxLifetimeSeconds`\?$/,
  );
});

test("undefined is the same as left out, and 0 and Infinity are taken where they mean something", () => {
  const options = { maxWaiting: Number.POSITIVE_INFINITY, maxLifetimeSeconds: 0, lifetimeJitter: 0 };
  recycle(pool(), { ...options, pingTimeoutMillis: undefined, keepAliveSeconds: undefined }).stop();
});

test.each([
  ["recycle", recycle],
  ["warm", warm],
  ["drain", drain],
  ["flush", flush],
])("%s says what is no pool", (_name, act) => {
  for (const given of [undefined, "postgres://user:hunter2@db/shop", new pg.Client()]) {
    expect(() => act(given as never)).toThrow(
      /^Expected `pool` to be a pg.Pool, got (`undefined`|a string|an object)/,
    );
  }
  // Looks like a pool from the outside, and has nothing of pg-pool inside.
  const outside = Object.assign(Object.create(pool()), { _acquireClient: undefined });
  expect(() => act(outside)).toThrow(/^Expected `pool`/);
});

test("warm and drain check what they are given", () => {
  expect(() => warm(pool(), { connections: 11 })).toThrow(
    "Expected `connections` to be a whole number from 0 to 10, got `11` (number)",
  );
  expect(() => drain(pool(), { timeoutMillis: 0 })).toThrow(/^Expected `timeoutMillis`/);
});

test("poolOptions translates SQLAlchemy's words", () => {
  expect(poolOptions({ poolSize: 20, maxOverflow: 10, timeoutSeconds: 30, recycleSeconds: 3600 })).toEqual({
    max: 30,
    min: 20,
    connectionTimeoutMillis: 30_000,
    maxLifetimeSeconds: 3600,
  });
  const defaults = { max: 15, min: 5, connectionTimeoutMillis: 30_000, maxLifetimeSeconds: 0 };
  expect(poolOptions()).toEqual(defaults);
  expect(poolOptions({ recycleSeconds: -1 })).toEqual(defaults);
  expect(poolOptions({ timeoutSeconds: 0.25 }).connectionTimeoutMillis).toBe(250);
  expect(new pg.Pool(poolOptions({ poolSize: 2 })).options).toMatchObject({ max: 12, min: 2 });
  expect(() => poolOptions({ maxOverflow: -1 })).toThrow(
    /^Expected `maxOverflow` to be a whole number from 0/,
  );
  expect(() => poolOptions({ timeoutSeconds: -1 })).toThrow(
    /^Expected `timeoutSeconds` to be a number from 0/,
  );
});

test("advice has both values", () => {
  const sound = { max: 10, min: 2, connectionTimeoutMillis: 30_000, idleTimeoutMillis: 10_000 };
  expect(poolAdvice(sound)).toEqual([]);
  expect(poolAdvice({ ...sound, connectionTimeoutMillis: 0 })).toEqual([
    expect.stringContaining("connectionTimeoutMillis=0: callers wait for ever"),
  ]);
  expect(poolAdvice({ ...sound, min: 20 })).toEqual([expect.stringContaining("min=20 is above max=10")]);

  const settings = {
    pingAfterIdleMillis: 500,
    keepAliveSeconds: 0,
    maxLifetimeSeconds: 3600,
    idleLimitSeconds: 0,
  };
  expect(recycleAdvice(sound, settings)).toEqual([]);
  expect(recycleAdvice({ ...sound, idleTimeoutMillis: 100 }, settings)).toEqual([
    expect.stringContaining("idleTimeoutMillis=100 is below pingAfterIdleMillis=500"),
  ]);
  expect(recycleAdvice(sound, { ...settings, idleLimitSeconds: 350 })).toEqual([
    "idleLimitSeconds=350 closes idle connections before the pool does (maxLifetimeSeconds=3600, " +
      "idleTimeoutMillis=10000, min=2); set a lifetime or keepAliveSeconds below 350",
  ]);
});

test.each([
  ["no limit", {}, 3600, 0, 0, false],
  ["a lifetime below it", {}, 300, 0, 350, false],
  ["the pool's own lifetime below it", { maxLifetimeSeconds: 300 }, 0, 0, 350, false],
  ["no lifetime at all", {}, 0, 0, 350, true],
  ["a keep-alive below it", {}, 3600, 60, 350, false],
  ["a keep-alive above it", {}, 3600, 600, 350, true],
  ["idle ones closed before it", { idleTimeoutMillis: 10_000 }, 3600, 0, 350, false],
  ["idle ones closed before it, but for min", { idleTimeoutMillis: 10_000, min: 1 }, 3600, 0, 350, true],
])(
  "what closes idle connections from outside: %s",
  (_name, options, lifetime, keepAlive, limit, isAdvised) => {
    expect(idleLimitAdvice({ max: 10, ...options }, lifetime, keepAlive, limit) !== undefined).toBe(
      isAdvised,
    );
  },
);
