import { readFile } from "node:fs/promises";
import express from "express";
import type pg from "pg";
import request from "supertest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import type { Poolscope } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const STUCK_AFTER_MILLIS = 300;
const PATHS = ["/health", "/health/database", "/health/ready", "/health/live"] as const;
const page = new URL("../../docs/health.md", import.meta.url);

/** What a state looks like from outside: a status and a code for each path, and what is said of the pool. */
interface Row {
  readonly cells: readonly string[];
  readonly condition: string | undefined;
  readonly verdict: string;
}

async function look(scope: Poolscope): Promise<Row> {
  const app = express();
  app.use("/health", scope.health({ cacheMillis: 60_000 }));
  const answers = [];
  for (const path of PATHS) answers.push(await request(app).get(path));
  const [, database, ready] = answers;
  const pool = database?.body.pools[0];
  return {
    cells: answers.map(({ status, body }) => `${body.status} ${status}`),
    condition: pool?.condition,
    verdict: withoutTimes(ready?.body.reasons?.[0] ?? pool?.verdict ?? database?.body.message),
  };
}

/** Times and the counts of what is under way differ from run to run. */
function withoutTimes(sentence: string): string {
  return sentence
    .replace(/\d+\.\d s/g, "… s")
    .replace(/\d+ failed attempts?/, "… failed attempts")
    .replace(/\d+ waiting/, "2 waiting")
    .replace(/, \d+ connecting/, "");
}

interface Staged {
  readonly scope: Poolscope;
  readonly pool: pg.Pool;
  hold(clients: number): Promise<pg.PoolClient[]>;
}

function stage(): Staged {
  const { host, port, user, password } = server;
  const scope = makeScope({ stuckAfterMillis: STUCK_AFTER_MILLIS });
  const pool = makePool({ host, port, user, password, max: 10 });
  scope.watch(pool, { name: "orders" });
  const hold = (clients: number) => Promise.all(Array.from({ length: clients }, () => pool.connect()));
  return { scope, pool, hold };
}

/** The row once the pool is in this condition. */
async function when(scope: Poolscope, condition: string, cell?: string): Promise<Row> {
  let row = await look(scope);
  await until(async () => {
    row = await look(scope);
    return row.condition === condition && (cell === undefined || row.cells.includes(cell));
  });
  return row;
}

/** Callers that use the pool for ever, and fail without a word. @returns Ends them */
function load(pool: pg.Pool, callers: number, query = "SELECT pg_sleep(0.02)"): () => Promise<void> {
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      await pool.query(query).catch(() => new Promise((resolve) => setTimeout(resolve, 10)));
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  return async () => {
    isOver = true;
    await all;
  };
}

const STATES: Readonly<Record<string, () => Promise<Row>>> = {
  healthy: async () => {
    const { scope, hold } = stage();
    await hold(3);
    return look(scope);
  },
  busy: async () => {
    const { scope, hold } = stage();
    await hold(8);
    return look(scope);
  },
  "exhausted, but it moves": async () => {
    const { scope, pool } = stage();
    const stop = load(pool, 12);
    const row = await when(scope, "exhausted");
    await stop();
    return row;
  },
  stuck: async () => {
    const { scope, pool, hold } = stage();
    const held = await hold(10);
    const waiter = pool.connect().then((client) => client.release());
    const row = await when(scope, "stuck");
    for (const client of held) client.release();
    await waiter;
    return row;
  },
  "server down": async () => {
    const { scope, pool } = stage();
    const stop = load(pool, 3);
    await until(async () => (await scope.readings())[0]?.checkouts);
    await server.pause();
    const row = await when(scope, "server_unreachable", "not_ready 503");
    await server.resume();
    await stop();
    return row;
  },
  "server back": async () => {
    const { scope, pool } = stage();
    await pool.query("SELECT 1");
    const stop = load(pool, 1, "SELECT 1");
    await server.pause();
    await when(scope, "server_unreachable", "not_ready 503");
    await stop();
    await server.resume();
    // Nobody asks the pool any more: it is poolscope that finds the server back.
    await until(async () => (await look(scope)).cells.includes("ready 200"));
    return when(scope, "ok");
  },
  "reading failed": async () => {
    const { scope, pool } = stage();
    Object.defineProperty(pool, "totalCount", {
      configurable: true,
      get() {
        throw new Error("out of order");
      },
    });
    const row = await look(scope);
    Reflect.deleteProperty(pool, "totalCount");
    return row;
  },
  "nothing watched": () => look(makeScope()),
  "shutting down": async () => {
    const { scope } = stage();
    await scope.shutdown();
    return look(scope);
  },
};

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  healthy: ["healthy 200", "healthy 200", "ready 200", "live 200"],
  busy: ["warning 200", "warning 200", "ready 200", "live 200"],
  "exhausted, but it moves": ["critical 503", "critical 503", "ready 200", "live 200"],
  stuck: ["critical 503", "critical 503", "not_ready 503", "live 200"],
  "server down": ["critical 503", "critical 503", "not_ready 503", "live 200"],
  "server back": ["healthy 200", "healthy 200", "ready 200", "live 200"],
  "reading failed": ["degraded 200", "unknown 200", "ready 200", "live 200"],
  "nothing watched": ["degraded 200", "unknown 200", "ready 200", "live 200"],
  "shutting down": ["degraded 200", "unknown 200", "shutting_down 503", "live 200"],
};

function table(rows: readonly (readonly [state: string, row: Row])[]): string {
  const lines = [
    ["State", ...PATHS.map((path) => `\`${path}\``), "What is said"],
    ["---", ...PATHS.map(() => "---"), "---"],
    ...rows.map(([state, { cells, verdict }]) => [state, ...cells, verdict]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const seen: [state: string, row: Row][] = [];

test.each(Object.keys(STATES))("%s: what each path answers", async (state) => {
  const row = await (STATES[state] as () => Promise<Row>)();
  seen.push([state, row]);
  expect(row.cells).toEqual(EXPECTED[state]);
});

test("docs/health.md shows what was seen", async () => {
  const made = table(seen);
  console.log(`\n${made}\n`);
  const written = /<!-- states -->\n([\s\S]*?)\n<!-- end of states -->/.exec(
    await readFile(page, "utf8"),
  )?.[1];
  expect(written).toBe(made);
});
