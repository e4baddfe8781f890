import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { expect, test } from "vitest";
import { type SessionDefaults, type SessionState, watchSession } from "../../src/pg/session-state.ts";
import { makePool } from "../support/pools.ts";
import { until } from "../support/until.ts";

interface Watched {
  readonly pool: pg.Pool;
  readonly client: pg.PoolClient;
  readonly state: SessionState;
}

/** A client of a pool, watched from its dial on and started at its first hand-out. */
async function checkout(options: pg.PoolConfig = {}, prepare?: (pool: pg.Pool) => void): Promise<Watched> {
  const pool = makePool({ max: 2, ...options });
  const states = watchDials(pool, { changes: 0 });
  prepare?.(pool);
  const { client, state } = await connect(pool, states);
  return { pool, client, state };
}

function watchDials(pool: pg.Pool, defaults: SessionDefaults): Map<object, SessionState> {
  const states = new Map<object, SessionState>();
  const { Client } = pool as unknown as { Client: new (options: object) => object };
  Object.assign(pool, {
    Client: new Proxy(Client, {
      construct(target, parameters: [object]) {
        const client = new target(...parameters);
        states.set(client, watchSession(client, defaults));
        return client;
      },
    }),
  });
  return states;
}

/** By callback: a promise would let queries of `connect` listeners run before it settles. */
function connect(pool: pg.Pool, states: Map<object, SessionState>): Promise<Omit<Watched, "pool">> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      const state = client && states.get(client);
      if (!client || !state) return reject(error);
      state.start();
      resolve({ client, state });
    });
  });
}

test("plain statements leave no state, in every shape that pg sends", async () => {
  const { client, state } = await checkout();
  const table = `session_state_${process.pid}`;
  await client.query(`CREATE TABLE ${table} (id int)`);
  await client.query("SELECT $1::int", [1]);
  await client.query(`BEGIN; INSERT INTO ${table} VALUES (1); ROLLBACK`);
  const cursor = client.query(new Cursor("SELECT 1"));
  await cursor.read(1);
  await cursor.close();
  for await (const _ of client.query(new QueryStream("SELECT generate_series(1, 3)")));
  const copy = client.query(copyFrom(`COPY ${table} FROM STDIN`));
  copy.end("1\n");
  await until(() => copy.writableFinished);
  await client.query("SELECT 1/0").catch(() => {});
  await client.query(`DROP TABLE ${table}`);
  expect(state.hasState).toBe(false);
});

test.each<[string, (client: pg.PoolClient) => unknown]>([
  ["a text", (client) => client.query("SET search_path = public")],
  ["values", (client) => client.query("SELECT set_config('search_path', $1, false)", ["public"])],
  ["a text that fails", (client) => client.query("SET no_such_parameter = 1").catch(() => {})],
  ["a cursor", (client) => client.query(new Cursor("SELECT pg_advisory_lock(1)")).read(1)],
  ["a stream", (client) => client.query(new QueryStream("SELECT pg_advisory_lock(1)")).toArray()],
  ["COPY", (client) => client.query(copyFrom("COPY pg_temp.t FROM STDIN")).on("error", () => {})],
  ["a callback", (client) => new Promise((done) => client.query("LISTEN news", done))],
  ["a prepared statement", (client) => client.query({ name: "one", text: "SELECT 1" })],
  ["a type parser", (client) => client.setTypeParser(20, Number)],
])("state is found that was left by %s", async (_, leave) => {
  const { client, state } = await checkout();
  expect(state.hasState).toBe(false);
  await leave(client);
  await until(() => state.hasState);
});

test("settings of connect listeners do not count, whether or not they wait for them", async () => {
  for (const pipeline of [false, true]) {
    const { client, state } = await checkout({ pipeline } as pg.PoolConfig, (pool) =>
      pool.on("connect", (opened) => {
        void opened.query("SET search_path = public");
        void opened.query({ text: "SELECT set_config('statement_timeout', $1, false)", values: ["5s"] });
      }),
    );
    expect((await client.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "5s" }]);
    expect(state.hasState).toBe(false);
    await client.query("SET search_path = pg_catalog");
    expect(state.hasState).toBe(true);
  }
});

test("temporary tables of connect listeners count: their rows are this session's", async () => {
  const { client, state } = await checkout({}, (pool) =>
    pool.on("connect", (opened) => void opened.query("CREATE TEMP TABLE seen (id int)")),
  );
  await client.query("SELECT count(*) FROM seen");
  expect(state.hasState).toBe(true);
});

test("new defaults of a role count for every session that is open, and for none opened later", async () => {
  const pool = makePool({ max: 3 });
  const states = watchDials(pool, { changes: 0 });
  const first = await connect(pool, states);
  const second = await connect(pool, states);
  expect([first.state.hasState, second.state.hasState]).toEqual([false, false]);
  await first.client.query("SET search_path = public");
  await first.client.query(`ALTER ROLE ${pool.options.user} RESET work_mem`);
  const third = await connect(pool, states);
  expect([first.state.hasState, second.state.hasState, third.state.hasState]).toEqual([true, true, false]);
});

test("a session that was open before it was watched counts as state", async () => {
  const client = await makePool().connect();
  expect(watchSession(client, { changes: 0 }).hasState).toBe(true);
});

test("a client without a connection of its own counts as state", () => {
  const state = watchSession({ query() {} }, { changes: 0 });
  state.start();
  expect(state.hasState).toBe(true);
  state.stop();
});

test("stop leaves the connection as it was", async () => {
  const { client, state } = await checkout();
  const { connection } = client as unknown as { connection: object };
  state.stop();
  expect([Object.hasOwn(connection, "query"), Object.hasOwn(connection, "parse")]).toEqual([false, false]);
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  expect((await client.query("SELECT $1::int AS one", [1])).rows).toEqual([{ one: 1 }]);
});
