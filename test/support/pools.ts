import type pg from "pg";
import { afterEach, inject } from "vitest";
import { type AssessedReading, type Poolscope, type PoolscopeOptions, poolscope } from "../../src/index.ts";
import { PgPool } from "./pg.ts";

const pools: pg.Pool[] = [];
const scopes: Poolscope[] = [];
const clients = new Set<pg.PoolClient>();

/** A pool on the run's PostgreSQL. Ended after the test, whatever the test left held. */
export function makePool(options: pg.PoolConfig = {}): pg.Pool {
  const pool = new PgPool({ ...inject("postgres"), database: "postgres", ...options });
  // Like a real application: an idle client's error must not end the process.
  pool.on("error", () => {});
  pool.on("acquire", (client) => clients.add(client as pg.PoolClient));
  pool.on("release", (_error, client) => clients.delete(client as pg.PoolClient));
  pools.push(pool);
  return pool;
}

/** A scope that never samples, connects or logs by itself, unless its options ask for it. Shut down after the test. */
export function makeScope(options: PoolscopeOptions = {}): Poolscope {
  const scope = poolscope({ sampleIntervalMillis: 0, processes: 0, logger: false, ...options });
  scopes.push(scope);
  return scope;
}

/** One fresh reading of one pool. */
export async function read(scope: Poolscope, pool: string): Promise<AssessedReading> {
  const reading = (await scope.readings()).find((candidate) => candidate.pool === pool);
  if (!reading) throw new Error(`no reading of ${pool}`);
  return reading;
}

/** A port on loopback where nobody listens. */
export const CLOSED_PORT = 1;

afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.shutdown()));
  for (const client of clients) {
    try {
      client.release(true);
    } catch {
      // Released already.
    }
  }
  clients.clear();
  await Promise.all(pools.splice(0).map((pool) => (pool.ending ? undefined : pool.end())));
});
