import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { PoolscopeOptions } from "../../src/index.ts";
import { OPERATION_NAMES } from "../../src/queries/operation-name.ts";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope, read } from "../support/pools.ts";

const LABELS = ["db_operation_name", "db_query_summary", "error_type", "db_response_status_code"];

/** The labels of all queries of a pool, without those of the pool itself. */
async function queryLabels(scope: ReturnType<typeof makeScope>) {
  const exported = await scrape(scope);
  return exported.all
    .filter(({ name }) => name === "db_client_operation_duration_seconds_count")
    .map(({ labels, value }) => ({
      value,
      labels: Object.fromEntries(Object.entries(labels).filter(([key]) => LABELS.includes(key))),
    }));
}

const marker = fc.stringMatching(/^secret[0-9a-f]{8}$/);
const verb = fc.constantFrom(
  "SELECT",
  "select",
  "\n\tSELECT\n",
  "/* x */SELECT(",
  "EXPLAIN",
  "SELEC",
  "",
  "WITH a AS",
);
const anySql = fc.oneof(
  fc
    .tuple(verb, marker, fc.string({ unit: "grapheme" }))
    .map(([word, secret, rest]) => `${word} '${secret}' ${rest}`),
  fc.tuple(verb, marker).map(([word, secret]) => `${word}${secret} -- ${secret}`),
  fc.tuple(marker, fc.string()).map(([secret, rest]) => `/* ${secret} */ ${rest}`),
  fc.string({ unit: "binary" }),
);

test("whatever the SQL, the series stay few and no part of it becomes a label", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 4 });
  scope.watch(pool, { name: "fuzz" });
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(anySql, async (sql) => {
      asked++;
      // The extended protocol takes no second statement: nothing random is to change the session or the server.
      await pool.query({ text: sql, values: [1] }).catch(() => {});
    }),
    { numRuns: 400 },
  );
  const seen = await queryLabels(scope);
  expect(seen.reduce((sum, { value }) => sum + value, 0)).toBe(asked);
  expect(seen.length).toBeLessThan(100);
  for (const { labels } of seen) {
    const { db_operation_name: operation, error_type: error, db_response_status_code: status } = labels;
    if (operation !== undefined) expect(OPERATION_NAMES).toContain(operation);
    if (error !== undefined)
      expect(error).toMatch(/^([0-9A-Z]{5}|_OTHER|[A-Z]\w*Error|E[A-Z]+|query_timeout|connection_lost)$/);
    if (status !== undefined) expect(status).toBe(error);
  }
  expect((await scrape(scope)).text).not.toMatch(/secret[0-9a-f]{8}/);
});

test("error types beyond the twentieth are _OTHER, and still counted", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "raising" });
  const client = await pool.connect();
  for (let n = 0; n < 30; n++) {
    const code = `U${String(n).padStart(4, "0")}`;
    await client.query(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${code}'; END $$`).catch(() => {});
  }
  const seen = await queryLabels(scope);
  expect(seen.reduce((sum, { value }) => sum + value, 0)).toBe(30);
  const others = seen.filter(({ labels }) => labels["error_type"] === "_OTHER");
  expect(others).toEqual([{ value: 15, labels: { db_operation_name: "DO", error_type: "_OTHER" } }]);
  expect(await read(scope, "raising")).toMatchObject({ queryErrors: 30 });
});

async function withNames(options: PoolscopeOptions) {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const scope = makeScope({ logger, ...options });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "named" });
  return { scope, pool, warnings: () => logger.warn.mock.calls.map(([line]) => line as string) };
}

test("queryName names queries: by text, by config, or not at all", async () => {
  const { scope, pool } = await withNames({
    queryName: ({ text, name, summary }) =>
      (summary as string | undefined) ??
      (name as string | undefined) ??
      (text === "SELECT 1" ? "one" : undefined),
  });
  await pool.query("SELECT 1");
  await pool.query("SELECT 2");
  await pool.query({ name: "three", text: "SELECT 3" });
  await pool.query({ text: "SELECT 4", ...{ summary: "x".repeat(300) } });
  const summaries = (await queryLabels(scope)).map(({ labels }) => labels["db_query_summary"]);
  expect(summaries).toEqual(expect.arrayContaining(["one", undefined, "three", "x".repeat(255)]));
  expect(summaries).toHaveLength(4);
});

test("names beyond maxQueryNames are _OTHER, which is said once", async () => {
  let count = 0;
  const { scope, pool, warnings } = await withNames({ maxQueryNames: 3, queryName: () => `name ${count++}` });
  for (let n = 0; n < 10; n++) await pool.query("SELECT 1");
  const seen = Object.fromEntries(
    (await queryLabels(scope)).map(({ labels, value }) => [labels["db_query_summary"], value]),
  );
  expect(seen).toEqual({ "name 0": 1, "name 1": 1, "name 2": 1, _OTHER: 7 });
  expect(warnings()).toEqual([
    "poolscope - the option queryName gave more than 3 names (maxQueryNames); the rest are _OTHER",
  ]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("no name");
    },
    "threw: no name",
  ],
  ["returns no string", () => 7 as never, "returned a number, not a name"],
  ["returns an empty string", () => "", "returned an empty string, not a name"],
])("a queryName that %s costs no query, and is complained of once", async (_case, queryName, words) => {
  const { scope, pool, warnings } = await withNames({ queryName });
  for (let n = 0; n < 3; n++) expect((await pool.query("SELECT 1")).rowCount).toBe(1);
  expect(await queryLabels(scope)).toEqual([{ value: 3, labels: { db_operation_name: "SELECT" } }]);
  expect(warnings()).toEqual([`poolscope - the option queryName ${words}`]);
});

test("a thousand series a pool, then only the error type is kept", async () => {
  const { scope, pool } = await withNames({
    maxQueryNames: 1_000,
    queryName: ({ text }) => /name\d+/.exec(String(text))?.[0],
  });
  const client = await pool.connect();
  for (let n = 0; n < 600; n++) {
    await client.query(`SELECT 'name${n}'`);
    await client.query(`SELECT 'name${n}' / 0`).catch(() => {});
  }
  const seen = await queryLabels(scope);
  expect(seen.length).toBeLessThanOrEqual(1_002);
  expect(seen.reduce((sum, { value }) => sum + value, 0)).toBe(1_200);
  expect(seen).toContainEqual({ value: 100, labels: {} });
});
