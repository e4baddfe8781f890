/** Connections held for long: leaks, work, and what is kept on purpose. */
import pg from "pg";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { expect, test, vi } from "vitest";
import type { PoolscopeOptions, WatchOptions } from "../../src/index.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

const HERE = /^test\/integration\/long-holds\.test\.ts:\d+:\d+$/;

function stage(options: PoolscopeOptions = {}, watch: WatchOptions = {}, max = 3) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ leakAfterMillis: 80, sampleIntervalMillis: 10, logger, ...options });
  const pool = makePool({ max });
  scope.watch(pool, { name: "orders", ...watch });
  const [leak, leakReturned] = [vi.fn(), vi.fn()];
  scope.on("leak", leak);
  scope.on("leakReturned", leakReturned);
  const lines = (level: "info" | "warn", part: string) =>
    logger[level].mock.calls.flat().filter((line: string) => line.includes(part));
  const becomes = (condition: string) =>
    until(async () => {
      const reading = await read(scope, "orders");
      return reading.condition === condition ? reading : undefined;
    });
  return { scope, pool, leak, leakReturned, lines, becomes };
}

/** Another hold at another place leaks after this one could have. */
async function untilALaterLeak({ pool, leak }: ReturnType<typeof stage>): Promise<pg.PoolClient> {
  const client = await pool.connect();
  const before = leak.mock.calls.length;
  await until(() => leak.mock.calls.length > before);
  return client;
}

test("a cursor given to pool.query and closed is a suspected leak", async () => {
  const { pool, becomes, lines, leak } = stage();
  const cursor = new Cursor("SELECT generate_series(1, 50)");
  pool.query(cursor as never);
  await cursor.read(100);
  await cursor.close();
  const reading = await becomes("leak_suspected");
  expect(reading).toMatchObject({ leaks: 1, used: 1, held: { idle: 1 } });
  expect(leak).toHaveBeenCalledOnce();
  expect(lines("warn", "suspected leak: ")).toEqual([
    expect.stringMatching(
      /^orders - suspected leak: a connection of pool\.query has been held for 0\.\d s \(idle, .*\); pool\.query releases no connection of a cursor, or of a stream left open: /,
    ),
  ]);
});

test.each([
  [
    "cursor",
    () => new Cursor("SELECT generate_series(1, 500)"),
    (query: Cursor) => query.read(2),
    (query: Cursor) => query.close(),
  ],
  [
    "stream",
    () => new QueryStream("SELECT generate_series(1, 500)", [], { highWaterMark: 2 }),
    (query: QueryStream) => new Promise((resolve) => query.once("readable", resolve)),
    (query: QueryStream, pool: pg.Pool) => {
      query.destroy();
      return until(() => pool.idleCount === pool.totalCount);
    },
  ],
] as [string, () => Cursor, (query: Cursor) => unknown, (query: Cursor, pool: pg.Pool) => unknown][])(
  "a %s given to pool.query and left between two fetches is a suspected leak",
  async (_kind, make, begin, end) => {
    const { pool, becomes } = stage();
    const query = make();
    pool.query(query as never);
    await begin(query);
    expect(await becomes("leak_suspected")).toMatchObject({ longRunning: [], held: { executing: 0 } });
    await end(query, pool);
  },
);

test("a cursor that is fetched from now and then is at work, however long it takes", async () => {
  const { pool, leak, becomes } = stage();
  const client = await pool.connect();
  const cursor = client.query(new Cursor("SELECT generate_series(1, 5000)"));
  let isOver = false;
  const fetching = (async () => {
    while (!isOver) {
      await cursor.read(2);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await becomes("long_running");
  await untilALaterLeak({ pool, leak } as never);
  expect(leak).toHaveBeenCalledOnce();
  isOver = true;
  await fetching;
  await cursor.close();
  client.release();
});

test("a connection that LISTENs is kept, also without listeners for notifications", async () => {
  const staged = stage();
  const { scope, pool, lines } = staged;
  const listener = await pool.connect();
  await listener.query('LISTEN "Jobs:insert"; LISTEN news');
  await untilALaterLeak(staged);
  expect(await read(scope, "orders")).toMatchObject({
    leaks: 1,
    held: { kept: 1, idle: 1 },
    verdict: expect.stringMatching(/^orders: 2\/3 in use, 1 kept; 1 held over /),
  });
  expect(await scope.holders("orders")).toMatchObject([{ kept: "LISTEN" }, {}]);
  expect(lines("warn", "suspected leak: ")).toHaveLength(1);
  listener.release(true);
});

test("a connection is kept by its listeners for notifications where queries are not measured", async () => {
  const staged = stage({ queries: "off" });
  const listener = await staged.pool.connect();
  listener.on("notification", () => {});
  await listener.query("LISTEN news");
  await untilALaterLeak(staged);
  expect(await read(staged.scope, "orders")).toMatchObject({ leaks: 1, held: { kept: 1 } });
  listener.release(true);
});

test.each(["UNLISTEN news", "UNLISTEN *", "DISCARD ALL"])(
  "a connection that LISTENed is no longer kept after %s",
  async (statement) => {
    const { pool, becomes } = stage();
    const client = await pool.connect();
    await client.query("LISTEN news");
    await client.query(statement);
    expect(await becomes("leak_suspected")).toMatchObject({ held: { kept: 0 } });
  },
);

test("a LISTEN of an earlier holder keeps no connection", async () => {
  const { pool, becomes } = stage({}, {}, 1);
  await pool.query("LISTEN news");
  await pool.connect();
  expect(await becomes("leak_suspected")).toMatchObject({ held: { kept: 0 } });
});

test("scope.keep keeps a connection until it is released", async () => {
  const staged = stage({}, {}, 2);
  const { scope, pool, becomes } = staged;
  const elected = await pool.connect();
  expect(scope.keep(elected, "leader")).toBe(true);
  const later = await untilALaterLeak(staged);
  expect(await scope.holders("orders")).toMatchObject([{ kept: "leader" }, {}]);
  expect(await read(scope, "orders")).toMatchObject({ leaks: 1, held: { kept: 1 } });
  elected.release();
  later.release();
  expect(scope.keep(elected, "leader")).toBe(false);
  await pool.connect();
  expect(await becomes("leak_suspected")).toMatchObject({ held: { kept: 0 } });
});

test("a suspected leak that is kept after all is taken back in the log", async () => {
  const { scope, pool, becomes, lines, leakReturned } = stage();
  const elected = await pool.connect();
  await becomes("leak_suspected");
  scope.keep(elected, "leader");
  expect(await becomes("ok")).toMatchObject({ suspects: [], held: { kept: 1 } });
  await until(() => lines("info", "no leak: ").length > 0);
  expect(lines("info", "no leak: ")[0]).toMatch(
    /^orders - no leak: the suspected one, a connection checked out at test\/\S+:\d+, is kept \(leader\) after \d/,
  );
  elected.release();
  expect(leakReturned).toHaveBeenCalledOnce();
});

test("scope.keep refuses what is no client and labels that are none", () => {
  const { scope, pool } = stage();
  expect(() => scope.keep(pool, "x")).toThrow(/^Expected `client` to be a client that pool.connect\(\) gave/);
  expect(() => scope.keep(undefined as never)).toThrow(/^Expected `client` to be a client/);
  expect(() => scope.keep(new pg.Client(), "")).toThrow(/^Expected `label` to be a string of 1 to 60/);
  expect(scope.keep(new pg.Client(), "elsewhere")).toBe(false);
});

function background(pool: pg.Pool): Promise<pg.PoolClient> {
  return pool.connect();
}

test.each([
  [["at background"]],
  [[/no-such-package/, /long-holds\.test\.ts/]],
  [["node_modules/@vitest/runner"]],
] as (readonly [NonNullable<WatchOptions["longHolds"]>])[])(
  "a connection whose place matches longHolds %j is kept",
  async (longHolds) => {
    const { scope, pool, leak } = stage({}, { longHolds });
    // Of another pool, whose places are not declared.
    const other = makePool();
    scope.watch(other, { name: "other" });
    await background(pool);
    await background(other);
    await until(() => leak.mock.calls.length > 0);
    await until(async () => (await read(scope, "other")).condition === "leak_suspected");
    expect(leak.mock.calls).toMatchObject([[{ pool: "other" }]]);
    expect(await read(scope, "orders")).toMatchObject({ condition: "ok", held: { kept: 1 } });
  },
);

test("longHolds note the place of every checkout", async () => {
  const { scope, pool } = stage({}, { longHolds: ["at background"] });
  for (let checkout = 0; checkout < 600; checkout++) (await pool.connect()).release();
  await background(pool);
  expect(await read(scope, "orders")).toMatchObject({ held: { kept: 1 } });
});

test("leakAfterMillis of a pool counts instead of that of the scope", async () => {
  const { scope, pool, becomes, leak } = stage({ leakAfterMillis: 3_600_000 }, { leakAfterMillis: 50 });
  const [never, patient] = [makePool(), makePool()];
  scope.watch(never, { name: "never", leakAfterMillis: 0 });
  scope.watch(patient, { name: "patient" });
  await Promise.all([pool.connect(), never.connect(), patient.connect()]);
  await becomes("leak_suspected");
  expect(leak.mock.calls).toMatchObject([[{ pool: "orders" }]]);
  await until(() => scope.alerts().some(({ rule }) => rule === "leaks"));
  expect(scope.alerts().find(({ rule }) => rule === "leaks")?.summary).toContain("(leakAfterMillis=50)");
});

test("leakAfterMillis and longHolds of a pool are checked", () => {
  const { scope } = stage();
  const watch = (options: object) => () => scope.watch(makePool(), { name: "x", ...options });
  expect(watch({ leakAfterMillis: 5 })).toThrow(/^Expected `leakAfterMillis` to be a whole number from 10/);
  expect(watch({ longHolds: "jobs" })).toThrow(
    /^Expected `longHolds` to be a list of strings and regular expr/,
  );
  expect(watch({ longHolds: ["jobs", " "] })).toThrow(/^Expected `longHolds\[1\]` to be a part of a place/);
  expect(watch({ longHolds: [7] })).toThrow(/^Expected `longHolds\[0\]`/);
});

test("a holder at work is long running, and a leak once it stops", async () => {
  const { scope, pool, becomes, lines, leak } = stage();
  const client = await pool.connect();
  const working = client.query("SELECT pg_sleep(0.6)");
  const reading = await becomes("long_running");
  expect(reading).toMatchObject({
    leaks: 0,
    suspects: [],
    longRunning: [{ site: expect.stringMatching(HERE) }],
    held: { executing: 1 },
    verdict: expect.stringMatching(
      /^orders: 1\/3 in use; 1 held over 0\.\d s since checkout at \S+:\d+ — at work$/,
    ),
  });
  await until(() => scope.alerts().some(({ rule }) => rule === "longRunning"));
  expect(scope.alerts()).toMatchObject([{ rule: "longRunning", severity: "info", value: 1 }]);
  expect(lines("info", "long running: ")).toEqual([
    expect.stringMatching(
      /^orders - long running: a connection checked out at test\/\S+:\d+ has been held for 0\.\d s and is at work \(executing, process id \d+\)$/,
    ),
  ]);
  await working;
  expect(leak).not.toHaveBeenCalled();
  await becomes("leak_suspected");
  expect(lines("warn", "suspected leak: ")).toHaveLength(1);
});

test("a suspected leak that is used again is taken back, and reported no second time", async () => {
  const { pool, becomes, lines, leak, leakReturned } = stage();
  const client = await pool.connect();
  await becomes("leak_suspected");
  const working = client.query("SELECT pg_sleep(0.2)");
  expect(await becomes("long_running")).toMatchObject({ leaks: 1, suspects: [] });
  expect(lines("info", "no leak: ")[0]).toMatch(/ is in use again after \d/);
  await working;
  expect(await becomes("leak_suspected")).toMatchObject({ leaks: 1 });
  client.release();
  expect(leak).toHaveBeenCalledOnce();
  expect(leakReturned).toHaveBeenCalledOnce();
});

test("a leak is named beside what is worse: exhausted and stuck", async () => {
  const { scope, pool, becomes } = stage({ stuckAfterMillis: 400 }, {}, 2);
  const leaked = await pool.connect();
  await becomes("leak_suspected");
  const working = await pool.connect();
  const waiting = pool.connect();
  expect((await becomes("exhausted")).verdict).toMatch(
    /; exhausted: raise max or look for long holds; 1 held over .* since checkout at \S+:\d+ — suspected leak/,
  );
  expect((await becomes("stuck")).verdict).toMatch(
    /; stuck: nothing was handed out or returned for .*: look for holders that do nothing; \d held over .* — suspected leak$/,
  );
  expect(await read(scope, "orders")).toMatchObject({ status: "critical" });
  working.release();
  (await waiting).release();
  leaked.release();
});

test("six leaks at one place are one line with a count, and an event each", async () => {
  const { pool, lines, leak } = stage({ leakAfterMillis: 400 }, {}, 7);
  await Promise.all([1, 2, 3, 4, 5, 6].map(() => pool.connect()));
  await pool.connect();
  await until(() => leak.mock.calls.length === 7);
  const beginnings = lines("warn", "suspected leak: ").map((line) => line.split(" checked")[0]);
  expect(beginnings.sort()).toEqual([
    "orders - suspected leak: 6 connections",
    "orders - suspected leak: a connection",
  ]);
  expect(lines("warn", "6 connections")[0]).toMatch(
    /^orders - suspected leak: 6 connections checked out at test\/\S+:\d+ have been held for 0\.\d s or more \(idle\); release them in a finally block\n {4}at /,
  );
  expect(leak).toHaveBeenCalledTimes(7);
});

test("a connection held since before the watch is reported as that", async () => {
  const pool = makePool();
  const client = await pool.connect();
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ leakAfterMillis: 20, logger });
  scope.watch(pool, { name: "orders" });
  await until(() => logger.warn.mock.calls.length > 0);
  expect(logger.warn.mock.calls[0]?.[0]).toMatch(
    /^orders - suspected leak: a connection of before the watch has been held for 0\.\d s \(idle, process id \d+\); release it in a finally block$/,
  );
  client.release();
});
