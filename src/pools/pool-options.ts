import type { SizedPoolOptions } from "../options.ts";
import { resolveSizedPoolOptions } from "./settings.ts";

/** What {@link poolOptions} gives: options of `pg.Pool`. */
export interface PgPoolOptions {
  readonly max: number;
  readonly min: number;
  readonly connectionTimeoutMillis: number;
  readonly maxLifetimeSeconds: number;
}

/**
 * Options of `pg.Pool` for those who know SQLAlchemy's words: `new pg.Pool({ ...poolOptions({ poolSize: 20, maxOverflow:
 * 10 }), host })`. `pool_pre_ping` is `recycle(pool)`.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function poolOptions(options?: SizedPoolOptions): PgPoolOptions {
  const { poolSize, maxOverflow, timeoutSeconds, recycleSeconds } = resolveSizedPoolOptions(options);
  return {
    max: poolSize + maxOverflow,
    min: poolSize,
    connectionTimeoutMillis: Math.round(timeoutSeconds * 1000),
    maxLifetimeSeconds: recycleSeconds,
  };
}
