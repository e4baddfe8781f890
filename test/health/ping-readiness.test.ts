import express from "express";
import type pg from "pg";
import request from "supertest";
import { expect, inject, test } from "vitest";
import type { PingOptions } from "../../src/index.ts";
import { CLOSED_PORT, makePool, makeScope } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";

/** An application that has just started: its pool has not dialed yet. */
function boot(options: pg.PoolConfig, ping: boolean | PingOptions) {
  const scope = makeScope();
  const pool = makePool(options);
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.use("/health", scope.health({ ping, cacheMillis: 0 }));
  return { pool, get: (path: string) => request(app).get(`/health${path}`) };
}

test("ping keeps an application unready from its boot on while the server is away", async () => {
  const { pool, get } = boot({ port: CLOSED_PORT }, { neededForReadiness: true });
  const { body } = await get("/ready").expect(503);
  expect(body).toMatchObject({
    status: "not_ready",
    reasons: ["ping: orders: the server does not answer (ECONNREFUSED)"],
  });
  expect(pool.totalCount).toBe(0);
  await get("/live").expect(200);
});

test("ping leaves readiness alone unless it is needed for it", async () => {
  const { get } = boot({ port: CLOSED_PORT }, true);
  await get("/ready").expect(200);
  expect((await get("").expect(503)).body.components.ping).toEqual({
    status: "critical",
    message: "orders: the server does not answer (ECONNREFUSED)",
  });
});

test("an application becomes ready when its server begins to answer the ping", async () => {
  const proxy = await startProxy(inject("postgres").port);
  await proxy.refuse();
  const { pool, get } = boot({ port: proxy.port }, { neededForReadiness: true, cacheMillis: 0 });
  await get("/ready").expect(503);
  proxy.heal();
  await get("/ready").expect(200);
  expect(pool.totalCount).toBe(0);
});

test("a server that takes dials and stays silent is not ready within the deadline of the ping", async () => {
  const proxy = await startProxy(inject("postgres").port);
  proxy.blackhole();
  const { get } = boot({ port: proxy.port }, { neededForReadiness: true, timeoutMillis: 100 });
  const since = performance.now();
  const { body } = await get("/ready").expect(503);
  expect(body.reasons).toEqual(["ping: orders: the server does not answer"]);
  expect(performance.now() - since).toBeLessThan(5_000);
});

test("a server without a connection left for the ping keeps the application ready", async () => {
  const admin = makePool();
  const role = `crowded_${process.pid}_${Date.now()}`;
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'c' CONNECTION LIMIT 1`);
  try {
    const options = { user: role, password: "c", max: 1 };
    const { pool, get } = boot(options, { neededForReadiness: true, cacheMillis: 0 });
    await pool.query("SELECT 1");
    await get("/ready").expect(200);
    expect((await get("").expect(200)).body.components.ping).toEqual({
      status: "warning",
      message: "orders: no connection left for the ping (53300)",
    });
  } finally {
    await admin.query(`DROP ROLE ${role}`);
  }
});

test.each(["yes", 1])("neededForReadiness of the ping refuses %j", (neededForReadiness) => {
  expect(() => makeScope().health({ ping: { neededForReadiness } as never })).toThrow(
    "Expected `ping.neededForReadiness` to be true or false",
  );
});
