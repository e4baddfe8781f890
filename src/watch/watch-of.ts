import type { WatchedPool } from "./watched-pool.ts";

const watches = new WeakMap<object, WatchedPool>();

/** Notes that a pool is under watch, for those who know only the pool. Of several scopes the last one counts. */
export function noteWatch(pool: object, watch: WatchedPool): void {
  watches.set(pool, watch);
}

export function watchOf(pool: object): WatchedPool | undefined {
  return watches.get(pool);
}
