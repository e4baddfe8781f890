import type pg from "pg";
import { inject } from "vitest";

/** How to reach the run's PostgreSQL. */
export function pgOptions(options: pg.PoolConfig): pg.PoolConfig {
  return { ...inject("postgres"), database: "postgres", ...options };
}
