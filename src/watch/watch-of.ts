import { setShared, sharedKey } from "./shared-state.ts";
import type { WatchedPool } from "./watched-pool.ts";

/** The watches of one pool, oldest first. They live as long as the pool: nothing else may refer to them for good. */
const WATCHES: unique symbol = sharedKey("watches/1") as never;

interface WithWatches {
  readonly [WATCHES]?: readonly WatchedPool[];
}

export function watchesOf(pool: object): readonly WatchedPool[] {
  return (pool as WithWatches)[WATCHES] ?? [];
}

/** Notes that a pool is under watch, for those who know only the pool. */
export function noteWatch(pool: object, watch: WatchedPool): void {
  setShared(pool, WATCHES, [...watchesOf(pool), watch]);
}

export function forgetWatch(pool: object, watch: WatchedPool): void {
  const left = watchesOf(pool).filter((other) => other !== watch);
  if (left.length > 0) setShared(pool, WATCHES, left);
  else Reflect.deleteProperty(pool, WATCHES);
}

/** Of several scopes the last one counts. */
export function watchOf(pool: object): WatchedPool | undefined {
  return watchesOf(pool).at(-1);
}
