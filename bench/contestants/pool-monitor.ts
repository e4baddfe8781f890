import { createRequire } from "node:module";
import type pg from "pg";
import { type Contestant, expectCount } from "./contestant.ts";

/** https://www.npmjs.com/package/pg-pool-monitor, which has no types. */
interface PoolMonitor {
  createMonitor(pool: pg.Pool): { instrument(): Monitor };
}

interface Monitor {
  getStats(): { readonly total: number; readonly acquired: number };
}

export const poolMonitor: Contestant = async (makePool) => {
  const { createMonitor } = createRequire(import.meta.url)("pg-pool-monitor") as PoolMonitor;
  const pool = makePool();
  const monitor = createMonitor(pool).instrument();
  return {
    pool,
    async check() {
      const { total, acquired } = monitor.getStats();
      expectCount("open connections", total, pool.totalCount);
      expectCount("connections in use", acquired, 0);
    },
  };
};
