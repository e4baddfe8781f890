import { createRequire } from "node:module";
import current from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { connectionBudgets, serverLimits } from "../../src/server/connection-budget.ts";
import { type ConnectionTarget, withOwnConnection } from "../../src/server/own-connection.ts";
import { serverActivity } from "../../src/server/server-activity.ts";
import { CLOSED_PORT, makePool } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const AMPLE_MILLIS = 10_000;
const BRIEF_MILLIS = 150;
const oldest = createRequire(import.meta.url)("pg-8.11") as typeof current;
const { host, port, user, password } = inject("postgres");

/** What poolscope knows of a pool, without opening anything. */
function targetOf(options: object, Client: ConnectionTarget["Client"] = current.Client): ConnectionTarget {
  return { Client, options: makePool(options).options };
}

const whoAmI = "SELECT pg_backend_pid()::text AS pid, current_setting('application_name') AS name";

describe.each([
  ["installed", current.Client],
  ["oldest", oldest.Client],
])("with the %s pg", (_line, Client) => {
  const target = (options: object = {}) => targetOf(options, Client);

  test("a connection of its own is opened beside the pool and closed again", async () => {
    const pool = makePool();
    const me = await withOwnConnection({ Client, options: pool.options }, AMPLE_MILLIS, async (server) => {
      const { rows } = await server.query(whoAmI);
      return rows[0];
    });
    expect(me?.["name"]).toBe("poolscope");
    expect(pool.totalCount).toBe(0);
    await until(async () => {
      const { rows } = await pool.query("SELECT FROM pg_stat_activity WHERE pid = $1", [me?.["pid"]]);
      return rows.length === 0;
    });
  });

  test.each([
    ["a connection string", { connectionString: url("") }],
    ["a connection string with another name", { connectionString: url("?application_name=orders") }],
    ["a password function", { password: () => password }],
    ["a function that fetches the password", { password: async () => password }],
    ["binary results", { binary: true }],
  ])("it works with %s", async (_name, options) => {
    const plain = "connectionString" in options ? { host: "", port: 1, user: "", password: "" } : {};
    const rows = await withOwnConnection(target({ ...plain, ...options }), AMPLE_MILLIS, async (server) => {
      return (await server.query(whoAmI)).rows;
    });
    expect(rows).toMatchObject([{ name: "poolscope" }]);
  });

  test("what the server refuses is a rejection", async () => {
    const proxy = await startProxy(port);
    const behind = (options: object) => target({ port: proxy.port, ...options });
    await expect(serverLimits(behind({ password: "wrong" }), AMPLE_MILLIS)).rejects.toThrow("password");
    await expect(serverLimits(behind({ database: "nowhere" }), AMPLE_MILLIS)).rejects.toThrow("nowhere");
    await expect(
      withOwnConnection(behind({}), AMPLE_MILLIS, (server) => server.query("SELECT 1/0")),
    ).rejects.toThrow("division by zero");
    await expect(serverLimits(target({ port: CLOSED_PORT }), AMPLE_MILLIS)).rejects.toThrow("ECONNREFUSED");
    await until(() => proxy.connections === 0);
  });

  test("a server that never answers is given up at the deadline", async () => {
    const proxy = await startProxy(port);
    proxy.blackhole();
    const since = performance.now();
    await expect(serverLimits(target({ port: proxy.port }), BRIEF_MILLIS)).rejects.toThrow(
      `the server at ${host}:${proxy.port} did not answer within ${BRIEF_MILLIS} ms`,
    );
    expect(performance.now() - since).toBeLessThan(2_000);
    await until(() => proxy.connections === 0);
  });

  test("a server that falls silent during a query is given up at the deadline", async () => {
    const proxy = await startProxy(port);
    const silenced = withOwnConnection(target({ port: proxy.port }), 500, (server) => {
      proxy.blackhole();
      return server.query("SELECT 1");
    });
    await expect(silenced).rejects.toThrow("did not answer within 500 ms");
    await until(() => proxy.connections === 0);
  });

  test("a password that never comes is given up at the deadline", async () => {
    const proxy = await startProxy(port);
    const waiting = target({ port: proxy.port, password: () => new Promise(() => {}) });
    await expect(serverLimits(waiting, BRIEF_MILLIS)).rejects.toThrow("did not answer");
    await until(() => proxy.connections === 0);
  });

  test("a server that falls silent before the goodbye does not hold up the answer", async () => {
    const proxy = await startProxy(port);
    const answer = await withOwnConnection(target({ port: proxy.port }), AMPLE_MILLIS, async (server) => {
      const { rows } = await server.query("SELECT 'yes' AS answer");
      proxy.blackhole();
      return rows[0]?.["answer"];
    });
    expect(answer).toBe("yes");
    await until(() => proxy.connections === 0);
  });

  test("a connection lost on the way is a rejection and nothing else", async () => {
    const proxy = await startProxy(port);
    const lost = withOwnConnection(target({ port: proxy.port }), AMPLE_MILLIS, (server) => {
      const answer = server.query("SELECT 1");
      proxy.cut();
      return answer;
    });
    await expect(lost).rejects.toThrow(/terminated unexpectedly|ECONNRESET/);
  });

  test("who waits for a lock is shown with who holds it", async () => {
    const pool = makePool();
    const table = await makeTable(pool);
    const holder = await backend(pool);
    const waiter = await backend(pool);
    await holder.client.query(`BEGIN; SELECT FROM ${table} FOR UPDATE`);
    const blocked = waiter.client.query(`SELECT FROM ${table} FOR UPDATE`);
    const ask = () => serverActivity(target(), [holder.pid, waiter.pid], AMPLE_MILLIS);
    const seen = await until(async () => {
      const activity = await ask();
      return activity.get(waiter.pid)?.waitEventType === "Lock" ? activity : undefined;
    });

    expect(seen.get(waiter.pid)).toEqual({
      state: "active",
      waitEventType: "Lock",
      waitEvent: "transactionid",
      queryStart: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      stateChange: expect.any(String),
      blockedBy: [holder.pid],
    });
    expect(seen.get(holder.pid)).toMatchObject({ state: "idle in transaction", blockedBy: [] });
    const { queryStart = "" } = seen.get(waiter.pid) ?? {};
    expect(Math.abs(Date.now() - Date.parse(queryStart))).toBeLessThan(60_000);

    await holder.client.query("COMMIT");
    await blocked;
    expect((await ask()).get(waiter.pid)).toMatchObject({ state: "idle", blockedBy: [] });
  });
});

test("what the user may not see is left out, and who blocks is not", async () => {
  const pool = makePool();
  const bystander = `bystander_${process.pid}_${Date.now()}`;
  await pool.query(`CREATE ROLE ${bystander} LOGIN PASSWORD 'b'`);
  onTestFinished(async () => {
    await withOwnConnection(targetOf({}), AMPLE_MILLIS, (server) => server.query(`DROP ROLE ${bystander}`));
  });
  const table = await makeTable(pool);
  const holder = await backend(pool);
  const waiter = await backend(pool);
  await holder.client.query(`BEGIN; LOCK TABLE ${table}`);
  const blocked = waiter.client.query(`SELECT FROM ${table}`);
  const target = targetOf({ user: bystander, password: "b" });
  const seen = await until(async () => {
    const activity = await serverActivity(target, [holder.pid, waiter.pid], AMPLE_MILLIS);
    return activity.get(waiter.pid)?.blockedBy.length ? activity : undefined;
  });
  expect(Object.fromEntries(seen)).toStrictEqual({
    [holder.pid]: { state: undefined, blockedBy: [] },
    [waiter.pid]: { state: undefined, blockedBy: [holder.pid] },
  });
  await holder.client.query("COMMIT");
  await blocked;
});

test("processes the server does not know are left out, and nobody is asked about none", async () => {
  const { pid } = await backend(makePool());
  expect([...(await serverActivity(targetOf({}), [pid, 2 ** 31 - 1], AMPLE_MILLIS)).keys()]).toEqual([pid]);
  expect(await serverActivity(targetOf({ port: CLOSED_PORT }), [], AMPLE_MILLIS)).toEqual(new Map());
});

test("a budget has the server's own numbers, one for each server", async () => {
  const pool = makePool();
  const show = async (name: string) => Number((await pool.query(`SHOW ${name}`)).rows[0][name]);
  const maxConnections = await show("max_connections");
  const reserved = (await show("superuser_reserved_connections")) + (await show("reserved_connections"));
  const proxy = await startProxy(port);
  const own = { server: `${host}:${port}`, target: targetOf({}) };
  const other = { server: `${host}:${proxy.port}`, target: targetOf({ port: proxy.port }) };

  const limits = { processes: 3, maxConnections, reserved, available: maxConnections - reserved };
  expect(
    await connectionBudgets(
      [
        { name: "orders", max: 60, ...own },
        { name: "users", max: 10, ...other },
        { name: "reports", max: 20, ...own },
      ],
      3,
      AMPLE_MILLIS,
    ),
  ).toEqual([
    {
      ...limits,
      server: own.server,
      pools: [
        { name: "orders", max: 60 },
        { name: "reports", max: 20 },
      ],
      wanted: 240,
      fits: false,
    },
    { ...limits, server: other.server, pools: [{ name: "users", max: 10 }], wanted: 30, fits: true },
  ]);

  await proxy.refuse();
  await expect(
    connectionBudgets(
      [
        { name: "orders", max: 60, ...own },
        { name: "users", max: 10, ...other },
      ],
      3,
      AMPLE_MILLIS,
    ),
  ).rejects.toThrow("ECONNREFUSED");
});

function url(parameters: string): string {
  return `postgres://${user}:${password}@${host}:${port}/postgres${parameters}`;
}

async function backend(pool: current.Pool): Promise<{ client: current.PoolClient; pid: number }> {
  const client = await pool.connect();
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
  return { client, pid: rows[0].pid };
}

async function makeTable(pool: current.Pool): Promise<string> {
  const table = `locked_${process.pid}_${Date.now()}`;
  await pool.query(`CREATE TABLE ${table} AS SELECT 1 AS id`);
  onTestFinished(async () => {
    await withOwnConnection(targetOf({}), AMPLE_MILLIS, (server) => server.query(`DROP TABLE ${table}`));
  });
  return table;
}
