import Module, { createRequire } from "node:module";
import type pg from "pg";
import { afterEach, beforeAll, expect, inject, test } from "vitest";
import { type Poolscope, poolscope, recycle } from "../../../src/index.ts";
import { scrape } from "../../support/exported.ts";
import { until } from "../../support/until.ts";

const require = createRequire(import.meta.url);
let native: typeof pg;

beforeAll(() => {
  const built = createRequire(new URL("../native/package.json", import.meta.url)).resolve("pg-native");
  const resolving = Module as unknown as { _resolveFilename(request: string, ...rest: unknown[]): string };
  const { _resolveFilename } = resolving;
  resolving._resolveFilename = function (request, ...rest) {
    return request === "pg-native" ? built : _resolveFilename.call(this, request, ...rest);
  };
  native = require("pg").native;
});

let pool: pg.Pool;
let scope: Poolscope;
const held = new Set<pg.PoolClient>();

function watchNative(options: pg.PoolConfig = {}): void {
  const { user, password, port } = inject("suites");
  pool = new native.Pool({ host: "127.0.0.1", port, user, password, database: "postgres", ...options });
  pool.on("acquire", (client) => held.add(client));
  pool.on("release", (_error, client) => held.delete(client as pg.PoolClient));
  scope = poolscope({
    sampleIntervalMillis: 0,
    processes: 0,
    logger: { debug, info: debug, warn: debug, error: debug },
  });
  scope.watch(pool, { name: "orders" });
}
const debug = () => {};

afterEach(async () => {
  await scope.shutdown();
  // What a test that failed still holds would hold up the end of the pool.
  for (const client of held) client.release(true);
  held.clear();
  await pool.end();
});

async function reading() {
  const [orders] = await scope.readings();
  if (!orders) throw new Error("no reading");
  return orders;
}

test("connections of pg.native that execute a statement are read as executing", async () => {
  watchNative({ max: 3 });
  const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
  expect((await reading()).held).toMatchObject({ executing: 0, idle: 3 });
  const sleeping = clients.map((client) => client.query("SELECT pg_sleep(0.5)"));
  expect((await reading()).held).toMatchObject({ executing: 3, idle: 0 });
  const holders = await scope.holders("orders");
  expect(holders.map(({ activity }) => activity)).toEqual(["executing", "executing", "executing"]);
  await Promise.all(sleeping);
  expect((await reading()).held).toMatchObject({ executing: 0, idle: 3 });
  await expect(clients[0]?.query("SELECT 1/0")).rejects.toThrow("division");
  expect((await reading()).held).toMatchObject({ executing: 0, idle: 3 });
  for (const client of clients) client.release();
});

test("holders of pg.native get the reason why the server is not joined", async () => {
  watchNative({ max: 1 });
  const client = await pool.connect();
  const [holder] = await scope.holders("orders", { joinServer: true });
  expect(holder).not.toHaveProperty("processId");
  expect(holder?.serverUnknown).toBe("the client does not show the process id of its connection");
  client.release();
});

test("pings of recycling a pool of pg.native are not counted as queries of the application", async () => {
  watchNative({ max: 1 });
  recycle(pool, { pingAfterIdleMillis: 0 });
  for (let round = 0; round < 5; round++) await pool.query("SELECT 1");
  const exported = await scrape(scope);
  expect(exported.value("orders", "poolscope_pool_pings_total")).toBe(4);
  expect(exported.queries()).toEqual({ "SELECT ok": 5 });
});

test("a ROLLBACK of recycling a pool of pg.native is not counted as a query of the application", async () => {
  watchNative({ max: 1 });
  recycle(pool);
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("CREATE TEMPORARY TABLE left_open (id int)");
  client.release();
  await until(() => pool.idleCount === 1);
  const { rows } = await pool.query("SELECT to_regclass('left_open') AS name");
  expect(Object.keys((await scrape(scope)).queries()).sort()).toEqual(["BEGIN ok", "CREATE ok", "SELECT ok"]);
  expect(rows).toEqual([{ name: null }]);
});
