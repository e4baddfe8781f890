/**
 * pg-pool alone closes the connection on which `pool.query` failed, and so cures whatever the session was the cause of.
 * A recycled pool keeps some of them. The same script runs on both, each in a database of its own: recycled, no more
 * statements fail, and those that succeed in both return the same rows.
 */
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { recycle } from "../../src/index.ts";
import { type Outcome, ScriptedSessions, type Step } from "../support/scripted-sessions.ts";
import { type Script, scripts } from "../support/session-steps.ts";

const RUNS = Number(process.env["POOLSCOPE_SEEDS"] ?? 150);
const SEED = Number(process.env["POOLSCOPE_SEED"] ?? 22);
const KINDS = ["bare", "recycled"] as const;
const SQL_ERROR = { query: "SELECT 1/0" };
const RAISE_ALL = "UPDATE goods SET n = n + 1";
const DATABASE = "ALTER DATABASE this_database";
const GOODS = { query: "SELECT id, n FROM goods ORDER BY id" };

const admin = new pg.Client({ ...inject("postgres"), database: "postgres" });
/** A session beside each pool, in its database. */
const besides: pg.Client[] = [];
const totals = {
  scripts: 0,
  statements: 0,
  bare: { failed: 0, opened: 0 },
  recycled: { failed: 0, opened: 0 },
};

beforeAll(async () => {
  await admin.connect();
  for (const kind of KINDS) {
    const database = `${kind}_${process.pid}`;
    await admin.query(`CREATE DATABASE ${database}`);
    const beside = new pg.Client({ ...inject("postgres"), database });
    await beside.connect();
    besides.push(beside);
  }
});

afterAll(async () => {
  await Promise.all(besides.map((beside) => beside.end()));
  for (const kind of KINDS) await admin.query(`DROP DATABASE ${kind}_${process.pid} WITH (FORCE)`);
  await admin.end();
});

async function play(kind: (typeof KINDS)[number], script: Script): Promise<readonly Outcome[]> {
  const beside = besides[KINDS.indexOf(kind)];
  if (!beside) throw new Error("no session beside the pool");
  const sessions = await ScriptedSessions.open(beside, { max: script.max }, (pool) => {
    if (script.setsOnConnect) {
      pool.on("connect", (client) => void client.query("SET search_path = public, other").catch(() => {}));
    }
    if (kind === "recycled") recycle(pool);
  });
  try {
    await sessions.run(script.steps);
  } finally {
    await sessions.end();
  }
  totals[kind].opened += sessions.connects;
  totals[kind].failed += failures(sessions.outcomes);
  return sessions.outcomes;
}

async function compare(script: Script): Promise<void> {
  const [bare, recycled] = await Promise.all([play("bare", script), play("recycled", script)]);
  totals.scripts++;
  totals.statements += bare.length;
  const both = bare.map((outcome, at) => ({ ...outcome, recycled: recycled[at] }));
  const table = both.map(({ statement, rows, error, recycled: other }) => {
    return `${statement}: ${rows ?? error} | ${other?.rows ?? other?.error}`;
  });
  const differing = both.filter(({ rows, recycled: other }) => {
    return rows !== undefined && other?.rows !== undefined && rows !== other.rows;
  });
  expect(differing, `rows differ:\n${table.join("\n")}`).toEqual([]);
  expect(failures(recycled), `more fail:\n${table.join("\n")}`).toBeLessThanOrEqual(failures(bare));
}

function failures(outcomes: readonly Outcome[]): number {
  return outcomes.filter(({ error }) => error !== undefined).length;
}

test.each<[string, number, Step[]]>([
  ["a setting", 1, [{ query: "SET search_path = other, public" }, SQL_ERROR, GOODS]],
  ["a setting of a holder", 1, [{ checkout: ["SET search_path = other, public"] }, SQL_ERROR, GOODS]],
  ["a setting in the text that failed", 1, [{ query: "SET search_path = other; COMMIT; SELECT 1/0" }, GOODS]],
  [
    "a setting made by a function",
    1,
    [
      { query: "SELECT be_tenant('7')" },
      SQL_ERROR,
      { query: "SELECT current_setting('app.tenant', true)::int AS tenant" },
    ],
  ],
  [
    "a custom parameter after its transaction",
    1,
    [
      { checkout: ["BEGIN", "SELECT set_config('app.tenant', '8', true)", "COMMIT"] },
      SQL_ERROR,
      { query: "SELECT current_setting('app.tenant', true)::int AS tenant" },
    ],
  ],
  [
    "new settings of the database",
    2,
    [
      { hold: "take" },
      GOODS,
      { hold: "give back" },
      { query: "ALTER DATABASE this_database SET search_path = other, public" },
      SQL_ERROR,
      SQL_ERROR,
      GOODS,
    ],
  ],
  ["a temporary table", 1, [{ query: "CREATE TEMP TABLE goods (id int, n int)" }, SQL_ERROR, GOODS]],
  [
    "an advisory lock",
    1,
    [{ query: "SELECT pg_try_advisory_lock(7)" }, SQL_ERROR, { beside: "SELECT pg_try_advisory_lock(7)" }],
  ],
  [
    "a prepared statement of another text",
    1,
    [
      { name: "a", query: "SELECT id, n FROM goods" },
      SQL_ERROR,
      { name: "a", query: "SELECT id FROM goods" },
    ],
  ],
  [
    "a prepared statement of a table since altered",
    1,
    [
      { name: "a", query: "SELECT * FROM goods" },
      SQL_ERROR,
      { beside: "ALTER TABLE goods ADD COLUMN price int" },
      { name: "a", query: "SELECT * FROM goods" },
    ],
  ],
  [
    "a cached plan",
    1,
    [
      { name: "a", query: "SELECT * FROM goods" },
      { beside: "ALTER TABLE goods ADD COLUMN price int" },
      { name: "a", query: "SELECT * FROM goods" },
      { name: "a", query: "SELECT * FROM goods" },
    ],
  ],
  [
    "a read-only session",
    1,
    [
      { query: "SET default_transaction_read_only = on" },
      { query: "UPDATE goods SET n = 0" },
      { query: "UPDATE goods SET n = 0" },
    ],
  ],
  [
    "a type parser",
    1,
    [
      { checkout: ["SELECT 1::int AS one"], parsesNumbers: true },
      SQL_ERROR,
      { query: "SELECT 1::int AS one" },
    ],
  ],
  [
    "a transaction of pool.query that is rolled back",
    1,
    [{ query: "BEGIN" }, { query: "INSERT INTO goods VALUES (3, 30)" }, { query: "ROLLBACK" }, GOODS],
  ],
  [
    "a transaction of pool.query that a holder meets",
    1,
    [
      { query: "BEGIN" },
      { checkout: ["SELECT 1"] },
      { query: "INSERT INTO goods VALUES (3, 30)" },
      { query: "ROLLBACK" },
      GOODS,
    ],
  ],
  [
    "a failed transaction of pool.query",
    1,
    [{ query: "BEGIN" }, { query: "UPDATE goods SET n = 0" }, SQL_ERROR, GOODS],
  ],
  [
    "another connection that carries a setting",
    2,
    [{ hold: "take" }, { query: "SET search_path = other, public" }, { hold: "give back" }, SQL_ERROR, GOODS],
  ],
  [
    "another search path, set from outside",
    1,
    [
      GOODS,
      { beside: `${DATABASE} SET search_path = other, public` },
      { query: "SELECT id FROM only_there" },
      { query: "SELECT id FROM only_there" },
      GOODS,
    ],
  ],
  [
    "a read-only time, ended from outside",
    1,
    [
      { beside: `${DATABASE} SET default_transaction_read_only = on` },
      GOODS,
      { beside: `${DATABASE} RESET default_transaction_read_only` },
      { query: RAISE_ALL },
      { query: RAISE_ALL },
      GOODS,
    ],
  ],
  [
    "a statement timeout, lengthened from outside",
    1,
    [
      { beside: `${DATABASE} SET statement_timeout = 10` },
      GOODS,
      { beside: `${DATABASE} RESET statement_timeout` },
      { query: "SELECT pg_sleep(0.03)" },
      { query: "SELECT pg_sleep(0.03)" },
    ],
  ],
])("after %s a recycled pool answers as a bare one", (_, max, steps) =>
  compare({ max, setsOnConnect: false, steps }),
);

test("a recycled pool never fails more often than a bare one, and returns the same rows", {
  timeout: Math.max(60_000, RUNS * 1_000),
}, async () => {
  await fc.assert(fc.asyncProperty(scripts(40), compare), { numRuns: RUNS, seed: SEED });
  console.log(`seed ${SEED}: ${JSON.stringify(totals)}`);
});

test("a connection is kept after an error that every session would return", async () => {
  const before = { bare: totals.bare.opened, recycled: totals.recycled.opened };
  await compare({ max: 1, setsOnConnect: true, steps: [GOODS, SQL_ERROR, GOODS, SQL_ERROR, GOODS] });
  expect(totals.bare.opened - before.bare).toBe(3);
  expect(totals.recycled.opened - before.recycled).toBe(1);
});
