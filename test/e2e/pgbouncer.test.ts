import express from "express";
import type pg from "pg";
import request from "supertest";
import { expect, inject, test, vi } from "vitest";
import { connectionBudgets } from "../../src/server/connection-budget.ts";
import type { ConnectionTarget } from "../../src/server/own-connection.ts";
import { serverActivity } from "../../src/server/server-activity.ts";
import { startPgBouncer } from "../support/pgbouncer.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const { user, host } = inject("postgres");

/** A pool behind a PgBouncer of its own, watched under the name `orders`. */
async function behindBouncer(
  settings: Parameters<typeof startPgBouncer>[0] = {},
  options: pg.PoolConfig = {},
  scopeOptions: Parameters<typeof makeScope>[0] = {},
) {
  const bouncer = await startPgBouncer(settings);
  const pool = makePool({ port: bouncer.port, max: 6, ...options });
  const scope = makeScope(scopeOptions);
  scope.watch(pool, { name: "orders" });
  return { bouncer, pool, scope, server: `${host}:${bouncer.port}` };
}

/** As many clients in a transaction as PgBouncer opens server connections: it has none left. */
async function fill(pool: pg.Pool, count: number) {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
  await Promise.all(clients.map((client) => client.query("BEGIN")));
  return async () => {
    await Promise.all(clients.map((client) => client.query("ROLLBACK")));
    for (const client of clients) client.release();
  };
}

test("holders have the process id of the server or none, and joinServer gives the reason", async () => {
  const { bouncer, pool, scope } = await behindBouncer();
  // Of so many random ids one looks like that of a server process once in a while: alone it would be believed.
  const clients = await Promise.all(Array.from({ length: 6 }, () => pool.connect()));
  await clients[0]?.query("BEGIN");
  for (const joinServer of [false, true, true]) {
    const holders = await scope.holders("orders", { joinServer });
    expect(holders).toHaveLength(6);
    for (const holder of holders) {
      expect(holder).not.toHaveProperty("processId");
      expect(holder).not.toHaveProperty("server");
      if (joinServer) expect(holder.serverUnknown).toMatch(/as behind a connection pooler/);
      else expect(holder).not.toHaveProperty("serverUnknown");
    }
  }
  await clients[0]?.query("ROLLBACK");
  for (const client of clients) client.release();
  expect(bouncer.log).not.toContain("application_name=poolscope");
});

test("a process id that a client of PgBouncer has by chance is not joined with a backend", async () => {
  const { pool } = await behindBouncer();
  const direct = await makePool().connect();
  const { rows } = await direct.query("SELECT pg_backend_pid() AS pid");
  const target: ConnectionTarget = { Client: asIfOf(rows[0].pid), options: pool.options };
  expect(await serverActivity(target, [rows[0].pid], 5_000)).toEqual(new Map());
  direct.release();
});

/** A class of clients that show this process id: 1 in 1,000 of PgBouncer's looks like one, `pg.native` has none. */
function asIfOf(pid: number | undefined): ConnectionTarget["Client"] {
  const { Client } = makePool() as unknown as { Client: typeof pg.Client };
  return class extends Client {
    get processID(): number {
      return pid as number;
    }
    set processID(_random: number) {}
  } as unknown as ConnectionTarget["Client"];
}

test("the budget compares with max_client_conn where PgBouncer shows it", async () => {
  const { scope, server } = await behindBouncer({ stats_users: user });
  expect(await scope.connectionBudget()).toEqual([
    {
      ...{ server, processes: 1, pools: [{ name: "orders", max: 6 }], wanted: 6 },
      ...{ maxConnections: 40, reserved: 0, available: 40, fits: true, isPooled: true },
    },
  ]);
});

test("the budget gives the reason where PgBouncer does not show max_client_conn", async () => {
  const { scope, server } = await behindBouncer();
  expect(await scope.connectionBudget()).toEqual([
    {
      ...{ server, processes: 1, pools: [{ name: "orders", max: 6 }], wanted: 6, isPooled: true },
      notCompared: expect.stringMatching(
        /as behind a connection pooler, and there is no max_client_conn .*\(\w+\)$/,
      ),
    },
  ]);
});

test("the budget of clients without a process id is not compared when the server has another port", async () => {
  const { pool } = await behindBouncer();
  const target: ConnectionTarget = { Client: asIfOf(undefined), options: pool.options };
  expect(await connectionBudgets([{ name: "orders", max: 500, server: "db", target }], 1, 5_000)).toEqual([
    {
      ...{ server: "db", processes: 1, pools: [{ name: "orders", max: 500 }], wanted: 500 },
      notCompared: expect.stringContaining("the server listens on another port than the one dialed"),
    },
  ]);
});

test.each([
  [
    "a warning when max_client_conn is exceeded",
    { stats_users: user },
    "warn",
    /takes 40 \(max_client_conn=40\); lower max/,
  ],
  [
    "no warning when there is nothing to compare with",
    {},
    "info",
    /connection budget not compared: .*pooler/,
  ],
] as const)("the log has %s", async (_case, settings, level, line) => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  // More than the max_connections of the server too.
  await behindBouncer(settings, { max: 500 }, { logger, processes: 2 });
  await until(() => logger[level].mock.calls.some(([text]) => line.test(text)));
  if (level === "info") expect(logger.warn).not.toHaveBeenCalled();
});

test("own connections give up soon and do not pile up when PgBouncer is full", async () => {
  const { bouncer, pool, scope } = await behindBouncer({ stats_users: user });
  const app = express();
  const ping = { neededForReadiness: true, timeoutMillis: 5_000, cacheMillis: 0 };
  app.use("/health", scope.health({ ping, cacheMillis: 0, details: "always" }));
  await request(app).get("/health/ready").expect(200);
  const empty = await fill(pool, 3);
  // By the process ids of three clients the pooler is known for certain.
  await scope.holders("orders");
  const console = makePool({ port: bouncer.port, database: "pgbouncer", max: 1 });
  const own = async () => {
    const { rows } = await console.query("SHOW CLIENTS");
    return rows.filter(({ application_name }) => application_name === "poolscope").length;
  };

  const since = performance.now();
  let isOver = false;
  const rounds = async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all([
        ...Array.from({ length: 3 }, () => request(app).get("/health/ready").expect(200)),
        ...Array.from({ length: 3 }, () => scope.holders("orders", { joinServer: true })),
        ...Array.from({ length: 3 }, () => scope.connectionBudget()),
      ]);
    }
    isOver = true;
  };
  const asking = rounds();
  let most = 0;
  while (!isOver) most = Math.max(most, await own());
  await asking;
  expect(performance.now() - since).toBeLessThan(4_000);
  // One ping in the queue, and one question about the budget, at the console.
  expect(most).toBeLessThanOrEqual(2);
  expect((await request(app).get("/health")).body.components.ping).toMatchObject({
    status: "warning",
    message: "orders: no connection left for the ping",
  });
  await empty();
  await until(async () => (await own()) === 0);
  expect((await request(app).get("/health").expect(200)).body.components.ping.status).toBe("healthy");
});

test("a PgBouncer that takes no more clients keeps the application ready", async () => {
  const { pool, scope } = await behindBouncer({ max_client_conn: 2 }, { max: 2 });
  const app = express();
  app.use("/health", scope.health({ ping: { neededForReadiness: true, cacheMillis: 0 }, cacheMillis: 0 }));
  const empty = await fill(pool, 2);
  await request(app).get("/health/ready").expect(200);
  expect((await request(app).get("/health")).body.components.ping).toEqual({
    status: "warning",
    message: "orders: no connection left for the ping (08P01)",
  });
  await empty();
});
