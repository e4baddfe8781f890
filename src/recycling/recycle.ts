import { PoolscopeError } from "../errors.ts";
import type { RecycleOptions } from "../options.ts";
import { addToCount, insideOf, type PoolInside } from "../pg/pool-inside.ts";
import { hasLayer } from "../watch/override.ts";
import type { PgPool } from "../watch/pg-types.ts";
import { recycleAdvice } from "../watch/pool-advice.ts";
import { forgetRecycleCounts } from "../watch/recycled-pools.ts";
import { hookCheckouts } from "./checkout.ts";
import { hookRemovals } from "./closing.ts";
import { hookDials } from "./dials.ts";
import { hookEnd } from "./ending.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { Recycler } from "./recycler.ts";
import { hookReleases } from "./release.ts";
import { type RecycleSettings, resolveRecycleOptions } from "./settings.ts";

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

/** On the pool, where every copy of poolscope in the process finds it. */
const KEY = Symbol.for("poolscope.recycling");

interface Recycled {
  readonly recycler: Recycler;
  readonly recycling: PoolRecycling;
}

/**
 * Looks after the connections of one pool: pings those that were idle for a while before they are handed out, ends their
 * lives in time, keeps out what is broken, and lets callers wait while a server restarts. With or without a scope, on any
 * `pg.Pool`; this pool only.
 *
 * @returns The recycling under way, if the pool is recycled with equal options already
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_INVALID_OPTION`, `POOLSCOPE_ALREADY_RECYCLED`
 */
export function recycle(pool: PgPool, options?: RecycleOptions): PoolRecycling {
  const settings = resolveRecycleOptions(options);
  const inside = insideOf(pool);
  const before = recycledOf(inside);
  if (before) {
    if (isEqual(before.recycler.settings, settings)) return before.recycling;
    throw new PoolscopeError(
      "POOLSCOPE_ALREADY_RECYCLED",
      "This pool is recycled already: stop() that first to give it other options",
    );
  }
  const recycled = start(inside, settings);
  Object.defineProperty(inside, KEY, { value: recycled, configurable: true, enumerable: false });
  for (const advice of recycleAdvice(inside.options, settings)) settings.logger.info(`poolscope - ${advice}`);
  return recycled.recycling;
}

function start(pool: PoolInside, settings: RecycleSettings): Recycled {
  const recycler = new Recycler(pool, settings);
  const { counts } = recycler;
  const undo = [
    hookCheckouts(recycler),
    hookDials(recycler),
    hookReleases(recycler),
    hookRemovals(recycler),
    hookEnd(recycler),
    addToCount(pool, "waitingCount", () => recycler.gate.waiting),
    addToCount(pool, "idleCount", () => recycler.keptAlive),
    startHousekeeping(recycler),
  ];
  counts.settings = settings;
  counts.gate = recycler.gate;
  const recycling = Object.freeze({
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
      // Those at the gate are served as pg-pool serves them, each by its deadline.
      recycler.gate.open();
      counts.settings = undefined;
      counts.gate = undefined;
      Reflect.deleteProperty(pool, KEY);
      if (!hasLayer(pool, "connect", "watch")) forgetRecycleCounts(pool);
    },
  });
  return { recycler, recycling };
}

function recycledOf(pool: PoolInside): Recycled | undefined {
  return (pool as { [KEY]?: Recycled })[KEY];
}

/** What recycles a pool; undefined where nothing does. */
export function recyclerOf(pool: PoolInside): Recycler | undefined {
  return recycledOf(pool)?.recycler;
}

/** A module that is loaded anew has another logger, and means the same. */
function isEqual(before: RecycleSettings, settings: RecycleSettings): boolean {
  const names = Object.keys(settings) as (keyof RecycleSettings)[];
  return names.every((name) => name === "logger" || before[name] === settings[name]);
}
