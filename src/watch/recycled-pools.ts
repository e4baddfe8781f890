import type { HookablePool } from "./pg-types.ts";
import { sharedKey, sharedState } from "./shared-state.ts";

/** Where recycling holds callers while the server is away: above pg-pool, which does not have them in its queue. */
export interface Gate {
  readonly isClosed: boolean;
  /** Callers held. */
  readonly waiting: number;
  /** `performance.now()` of when they asked, oldest first. @param limit The most there may be */
  waitingSince(limit: number): readonly number[];
}

/** What recycling has done to one pool. Refers to nothing, and may outlive the pool. */
export interface RecycleNumbers {
  pings: number;
  pingFailures: number;
  rejected: number;
}

/** What recycling has done to one pool, in plain numbers, and what it is about to do. They outlive it. */
export class RecycleCounts {
  readonly numbers: RecycleNumbers = { pings: 0, pingFailures: 0, rejected: 0 };
  /** Requests that would have to wait are refused now. */
  isRefusing: () => boolean = () => false;
  /** Undefined while the pool is not recycled. */
  gate: Gate | undefined;
  /** What recycling was asked for; undefined while the pool is not recycled. */
  settings:
    | {
        readonly maxLifetimeSeconds: number;
        readonly keepAliveSeconds: number;
        readonly transactionAtRelease: "rollback" | "destroy" | "ignore";
      }
    | undefined;

  get pings(): number {
    return this.numbers.pings;
  }

  set pings(count: number) {
    this.numbers.pings = count;
  }

  get pingFailures(): number {
    return this.numbers.pingFailures;
  }

  set pingFailures(count: number) {
    this.numbers.pingFailures = count;
  }

  get rejected(): number {
    return this.numbers.rejected;
  }

  set rejected(count: number) {
    this.numbers.rejected = count;
  }
}

const COUNTS: unique symbol = sharedKey("recycling/1") as never;

/** Those of one pool: the same whichever copy of poolscope recycles it and whichever watches. */
export function recycleCounts(pool: object): RecycleCounts {
  return sharedState(pool, COUNTS, () => new RecycleCounts());
}

export const NEVER_RECYCLED: Readonly<RecycleCounts> = Object.freeze(new RecycleCounts());

/** The same, to be read only: a pool that was never recycled is left without. */
export function recycleCountsSoFar(pool: object): Readonly<RecycleCounts> {
  return (pool as { readonly [COUNTS]?: RecycleCounts })[COUNTS] ?? NEVER_RECYCLED;
}

/** Leaves a pool as it was found. Only where nothing watches it: numbers outlive recycling there. */
export function forgetRecycleCounts(pool: object): void {
  Reflect.deleteProperty(pool, COUNTS);
}

/** The gate of a pool that is recycled. */
export function gateOf(pool: object): Gate | undefined {
  return recycleCountsSoFar(pool).gate;
}

/** How many more requests can be served at once. Dials under way are taken; those who wait have asked first. */
export function countFree(pool: HookablePool): number {
  const { idleCount, totalCount, options } = pool;
  return idleCount + (options.max - totalCount) - countInQueue(pool) - (gateOf(pool)?.waiting ?? 0);
}

/** Callers in pg-pool's own queue: `waitingCount` of a recycled pool has those at its gate too. */
export function countInQueue(pool: HookablePool): number {
  return pool._pendingQueue?.length ?? pool.waitingCount;
}
