/** A client on its way from one holder to the next: whatever breaks meanwhile, the next caller is served, and served right. */
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { isOldestPg } from "../support/pg.ts";
import { makeRecycled } from "../support/recycled.ts";
import { surviveUncaught } from "../support/survive.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

test("a waiting caller is served when the connection before it breaks while it is tidied", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool } = makeRecycled({ port: proxy.port, max: 1 });
  const holder = await pool.connect();
  holder.on("error", () => {});
  holder.query("SELECT pg_sleep(30)").catch(() => {});
  let isAnswered = false;
  void pool.query("SELECT 1").then(() => {
    isAnswered = true;
  });
  holder.release();
  proxy.cut();
  await until(() => isAnswered, 4_000);
});

test("a callback that throws after a ping does not change the rows of the next caller", async () => {
  const caught = surviveUncaught();
  const { pool } = makeRecycled({ max: 1 }, { pingAfterIdleMillis: 0 });
  await pool.query("SELECT 1");
  pool.connect((_error, client) => {
    client?.release();
    throw new Error("a caller's own");
  });
  await until(() => caught.length === 1);
  await expect(pool.query("SELECT 42 AS n")).resolves.toMatchObject({ rows: [{ n: 42 }] });
  await expect(pool.query("SELECT 43 AS n")).resolves.toMatchObject({ rows: [{ n: 43 }] });
});

test("a silent connection leaves a caller time for a new one when its timeout is shorter than a ping's", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool } = makeRecycled(
    { port: proxy.port, max: 2, connectionTimeoutMillis: 900 },
    { pingAfterIdleMillis: 0, pingTimeoutMillis: 1_000 },
  );
  await pool.query("SELECT 1");
  proxy.freeze();
  await expect(pool.query("SELECT 1 AS one")).resolves.toMatchObject({ rows: [{ one: 1 }] });
});

test("a client whose lifetime ends during a keep-alive ping is not handed out while it is tidied", async () => {
  const proxy = await startProxy(inject("postgres").port);
  const { pool, recycling } = makeRecycled(
    { port: proxy.port, max: 1, maxLifetimeSeconds: 1 },
    { keepAliveSeconds: 1, pingTimeoutMillis: 5_000, maxLifetimeSeconds: 0 },
  );
  await pool.query("SELECT 1");
  const since = performance.now();
  await until(() => performance.now() - since > 700);
  proxy.blackhole();
  // The ping is under way when the pool's own lifetime ends.
  await until(() => recycling.pings === 1);
  await until(() => performance.now() - since > 1_100);
  proxy.heal();
  const client = await pool.connect();
  client.on("error", () => {});
  await client.query("BEGIN");
  await client.query("SELECT pg_sleep(0.2)");
  await expect(client.query("ROLLBACK")).resolves.toMatchObject({ command: "ROLLBACK" });
  client.release();
});

if (!isOldestPg) {
  test("queries on the wire of a pipeline are answered when it is released as broken", async () => {
    const { pool } = makeRecycled({ max: 1, pipeline: true } as pg.PoolConfig, { halfOpenGraceMillis: 50 });
    const client = await pool.connect();
    const queries = [client.query("SELECT pg_sleep(0.3)"), client.query("SELECT 2 AS n")];
    client.release(true);
    await expect(Promise.all(queries)).resolves.toMatchObject([{ rowCount: 1 }, { rows: [{ n: 2 }] }]);
  });
}
