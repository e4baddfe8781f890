import type { RequestListener } from "node:http";
import express from "express";
import type pg from "pg";
import request from "supertest";
import { expect, test } from "vitest";
import type { Poolscope, SizeAdvice } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";

/** One at a time, as on one core, and as slow on a machine that is busy with other things. */
const WORK = "SELECT pg_advisory_xact_lock(7), pg_sleep(0.005)";
/** Long beside what a busy machine adds. */
const SLEEP = "SELECT pg_sleep(0.06)";
const MAX = 16;

async function opened(): Promise<{ scope: Poolscope; pool: pg.Pool }> {
  const scope = makeScope({ sampleIntervalMillis: 150 });
  const pool = makePool({ max: MAX, idleTimeoutMillis: 0 });
  const clients = await Promise.all(Array.from({ length: MAX }, () => pool.connect()));
  for (const client of clients) client.release();
  scope.watch(pool, { name: "orders" });
  return { scope, pool };
}

/** So many callers, each of whom asks again when answered, until so many queries are done. */
async function load(pool: pg.Pool, callers: number, text: string, queries: number): Promise<void> {
  let left = queries;
  const caller = async () => {
    while (left-- > 0) await pool.query(text);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** That of a sample whose whole window is of this load. */
async function advice(scope: Poolscope, pool: pg.Pool, text: string, callers = MAX): Promise<SizeAdvice> {
  const samples = new Set<string>();
  for (let queries = 0; ; queries += 100) {
    await load(pool, callers, text, 100);
    const last = scope.history("orders", 1)[0];
    samples.add(last?.timestamp ?? "");
    if (last?.advice && queries >= 400 && samples.size > 9) return last.advice;
  }
}

test("the advice stops at the knee of a server that works on one query at a time", async () => {
  const { scope, pool } = await opened();
  for (const callers of [1, 2, 4, 8]) await load(pool, callers, WORK, 100);
  const given = await advice(scope, pool, WORK);
  expect(given).toMatchObject({ limitedBy: "server", isLowerBound: false });
  const { knee, beyond, recommendedSize } = given;
  expect(recommendedSize).toBe(knee?.connections);
  expect(recommendedSize).toBeLessThanOrEqual(4);
  expect(beyond?.connections).toBeGreaterThanOrEqual(1.5 * recommendedSize);
  expect(beyond?.meanQuerySeconds).toBeGreaterThan(knee?.meanQuerySeconds ?? Number.POSITIVE_INFINITY);
  const app = express().use("/health", scope.health() as RequestListener);
  const { body } = await request(app).get("/health/database/orders");
  expect(body.advice).toMatchObject({ limited_by: "server", recommended_size: recommendedSize });
  expect(body.advice.knee.connections).toBe(recommendedSize);
}, 60_000);

test("the advice names no limit when the server carries more with each connection", async () => {
  const { scope, pool } = await opened();
  for (const callers of [1, 2, 4, 8]) await load(pool, callers, SLEEP, 40 * callers);
  const given = await advice(scope, pool, SLEEP);
  expect(given).toMatchObject({ isLowerBound: true });
  expect(given).not.toHaveProperty("limitedBy");
  expect(given).not.toHaveProperty("knee");
}, 60_000);

test("the advice names no limit when the load never varied", async () => {
  const { scope, pool } = await opened();
  const given = await advice(scope, pool, WORK, 4 * MAX);
  expect(given).not.toHaveProperty("limitedBy");
}, 60_000);
