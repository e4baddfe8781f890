import type pg from "pg";
import { onTestFinished } from "vitest";
import {
  type CloseReason,
  type PoolRecycling,
  type Poolscope,
  type RecycleOptions,
  recycle,
} from "../../src/index.ts";
import { type Exported, scrape } from "./exported.ts";
import { makePool, makeScope, read } from "./pools.ts";

export interface Recycled {
  readonly pool: pg.Pool;
  readonly scope: Poolscope;
  readonly recycling: PoolRecycling;
  /** The reasons of all closes that were counted so far, zeros left out. */
  closes(): Promise<Partial<Record<CloseReason, number>>>;
  exported(): Promise<Exported>;
  /** Everything the scope has logged. */
  said(): string;
}

/** A pool that is watched and recycled, its idle connections never closed by pg-pool. */
export function makeRecycled(options: pg.PoolConfig = {}, how: RecycleOptions = {}): Recycled {
  const pool = makePool({ idleTimeoutMillis: 0, ...options });
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const scope = makeScope({ logger: { debug: say, info: say, warn: say, error: say } });
  // Either may come first.
  const isWatchedFirst = Math.random() < 0.5;
  if (isWatchedFirst) scope.watch(pool, { name: "orders" });
  const recycling = recycle(pool, how);
  onTestFinished(() => recycling.stop());
  if (!isWatchedFirst) scope.watch(pool, { name: "orders" });
  return {
    pool,
    scope,
    recycling,
    async closes() {
      const { closesByReason } = await read(scope, "orders");
      return Object.fromEntries(Object.entries(closesByReason).filter(([, count]) => count > 0));
    },
    exported: () => scrape(scope),
    said: () => lines.join("\n"),
  };
}

export async function processId(client: pg.PoolClient): Promise<number> {
  return (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
}

/** The backends of the pool's connections: `count` of them, opened at once. */
export async function openBackends(pool: pg.Pool, count: number): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
  const pids = await Promise.all(clients.map(processId));
  for (const client of clients) client.release();
  return pids;
}

/** Every event of a pool that is public, by name. */
export function recordEvents(pool: pg.Pool): string[] {
  const events: string[] = [];
  for (const name of ["connect", "acquire", "release", "remove", "error"]) {
    pool.on(name as "connect", () => events.push(name));
  }
  return events;
}
