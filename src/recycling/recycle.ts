import { expectedSecret, PoolscopeError } from "../errors.ts";
import type { RecycleOptions } from "../options.ts";
import { isPool, type PgPool } from "../watch/pg-types.ts";
import { recycleAdvice } from "../watch/pool-advice.ts";
import { hookCheckouts } from "./checkout.ts";
import { DialRetry } from "./dial-retry.ts";
import { hookRemovals } from "./half-open.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { hasInside, type PoolInside } from "./inside.ts";
import { resolveRecycleOptions } from "./recycle-settings.ts";
import { Recycler } from "./recycler.ts";
import { hookReleases } from "./release.ts";
import { hookRequests } from "./requests.ts";

/** A pool that is recycled. */
export interface PoolRecycling {
  /** Pings so far. */
  readonly pings: number;
  /** Pings that were not answered, or answered by an error. */
  readonly pingFailures: number;
  /** Callers refused by `maxWaiting`. */
  readonly rejected: number;
  /** Stops recycling and leaves the pool as it was found. Safe to call again. */
  stop(): void;
}

const recycled = new WeakSet<object>();

/**
 * Looks after the connections of one pool: pings those that were idle for a while before they are handed out, ends their
 * lives in time, keeps out what is broken, and lets callers wait while a server restarts. With or without a scope, on any
 * `pg.Pool`; this pool only.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_INVALID_OPTION`, `POOLSCOPE_ALREADY_RECYCLED`
 */
export function recycle(pool: PgPool, options?: RecycleOptions): PoolRecycling {
  const settings = resolveRecycleOptions(options);
  const inside = insideOf(pool);
  if (recycled.has(pool)) {
    throw new PoolscopeError(
      "POOLSCOPE_ALREADY_RECYCLED",
      "This pool is recycled already: stop() that first to give it other options",
    );
  }
  recycled.add(pool);
  const recycler = new Recycler(inside, settings);
  const { counts } = recycler;
  const dialRetry = new DialRetry(recycler);
  const undo = [
    hookCheckouts(recycler),
    hookReleases(recycler),
    hookRemovals(recycler),
    ...(settings.dialRetryMillis > 0 || settings.codedTimeouts ? [dialRetry.hook()] : []),
    hookRequests(recycler, () => dialRetry.isRetrying),
    startHousekeeping(recycler),
  ];
  counts.settings = settings;
  for (const advice of recycleAdvice(inside.options, settings)) settings.logger.info(`poolscope - ${advice}`);

  return Object.freeze({
    get pings() {
      return counts.pings;
    },
    get pingFailures() {
      return counts.pingFailures;
    },
    get rejected() {
      return counts.rejected;
    },
    stop() {
      if (!recycler.isActive) return;
      recycler.isActive = false;
      for (const step of undo.reverse()) step();
      recycler.forgetAll();
      counts.settings = undefined;
      recycled.delete(pool);
    },
  });
}

/** The same pool, with what is inside pg-pool. */
export function insideOf(pool: PgPool): PoolInside {
  if (isPool(pool) && hasInside(pool)) return pool;
  throw expectedSecret("pool", "a pg.Pool", pool, "POOLSCOPE_INVALID_POOL");
}
