import { type DiagLogger, diag } from "@opentelemetry/api";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recycle } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const warn = vi.spyOn(console, "warn");
const error = vi.spyOn(console, "error");
const lines = () => warn.mock.calls.map((call) => call.join(" "));

beforeEach(() => {
  warn.mockReset();
  error.mockReset();
});

afterEach(() => diag.disable());

function diagLines(): string[] {
  const noted: string[] = [];
  const note = (...words: unknown[]) => void noted.push(words.join(" "));
  const logger: DiagLogger = { verbose: note, debug: note, info: note, warn: note, error: note };
  diag.setLogger(logger, { suppressOverrideMessage: true });
  noted.length = 0;
  return noted;
}

test("a pool in full use is a line of the console without any set-up", async () => {
  const scope = makeScope({ logger: undefined, sampleIntervalMillis: 10 });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await until(() => lines().some((line) => /^poolscope: orders - usage high 100%/.test(line)));
  client.release();
});

test("a suspected leak is one line of the console, its frames included", async () => {
  const scope = makeScope({ logger: undefined, leakAfterMillis: 10 });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await until(() => lines().length > 0);
  client.release();
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatch(/^poolscope: orders - suspected leak: .* \| at .*default-logger\.test\.ts/);
  expect(lines()[0]).not.toContain("\n");
});

test("information goes to OpenTelemetry's diag, warnings do not", async () => {
  const noted = diagLines();
  const scope = makeScope({ logger: undefined, leakAfterMillis: 10 });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await until(() => lines().length > 0);
  client.release();
  expect(noted.join("\n")).toContain("the suspected leak");
  expect(noted.join("\n")).not.toContain("release it in a finally block");
  expect(lines().join("\n")).not.toContain("was returned");
});

test("`logger: false` logs nothing, of recycling neither", async () => {
  const noted = diagLines();
  const scope = makeScope({ logger: false, leakAfterMillis: 10 });
  const pool = makePool({ max: 1 });
  const recycling = recycle(pool, { logger: false, idleLimitSeconds: 1 });
  const watched = scope.watch(pool, { name: "orders" });
  const leaks = vi.fn();
  scope.on("leak", leaks);
  const client = await pool.connect();
  await until(() => leaks.mock.calls.length > 0);
  client.release();
  recycling.stop();
  watched.unwatch();
  expect([...lines(), ...noted, ...error.mock.calls]).toEqual([]);
});

test("a console that throws does not reach the application", async () => {
  warn.mockImplementation(() => {
    throw new Error("broken");
  });
  const scope = makeScope({ logger: undefined, leakAfterMillis: 10 });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await until(() => lines().length > 0);
  client.release();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});
