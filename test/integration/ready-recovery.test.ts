import express from "express";
import request from "supertest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import { makePool, makeScope } from "../support/pools.ts";

const TIMES = 10;
const LIMIT_MILLIS = 6_000;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

test(`PostgreSQL killed under load: not ready within 6 s, ready within 6 s of its return, ${TIMES} times`, async () => {
  const { host, port, user, password } = server;
  const scope = makeScope();
  const pool = makePool({ host, port, user, password, max: 5 });
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.use("/health", scope.health());

  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      await pool
        .query("SELECT pg_sleep(0.005)")
        .catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
    }
  };
  const load = Promise.all(Array.from({ length: 8 }, caller));
  const turnsTo = async (code: number) => {
    const since = performance.now();
    for (;;) {
      const { status } = await request(app).get("/health/ready");
      const elapsed = performance.now() - since;
      if (status === code || elapsed > 2 * LIMIT_MILLIS) return Math.round(elapsed);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const took: { down: number; up: number }[] = [];
  for (let time = 0; time < TIMES; time++) {
    await turnsTo(200);
    await server.kill();
    const down = await turnsTo(503);
    await server.resume();
    took.push({ down, up: await turnsTo(200) });
  }
  isOver = true;
  await load;
  console.log(
    `milliseconds until not ready, and until ready again: ${took.map(({ down, up }) => `${down}/${up}`).join(" ")}`,
  );
  for (const { down, up } of took) {
    expect(down).toBeLessThanOrEqual(LIMIT_MILLIS);
    expect(down).toBeGreaterThan(4_000);
    expect(up).toBeLessThanOrEqual(LIMIT_MILLIS);
  }
}, 180_000);
