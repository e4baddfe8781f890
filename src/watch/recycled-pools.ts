import { getOrCreate } from "../get-or-create.ts";
import type { HookablePool } from "./pg-types.ts";

/** What recycling has done to one pool, in plain numbers, and what it is about to do. They outlive it. */
export class RecycleCounts {
  pings = 0;
  pingFailures = 0;
  rejected = 0;
  /** Requests that would have to wait are refused now. */
  isRefusing: () => boolean = () => false;
  /** What recycling was asked for; undefined while the pool is not recycled. */
  settings:
    | {
        readonly maxLifetimeSeconds: number;
        readonly keepAliveSeconds: number;
        readonly transactionAtRelease: "rollback" | "destroy" | "ignore";
      }
    | undefined;
}

const byPool = new WeakMap<object, RecycleCounts>();

export function recycleCounts(pool: object): RecycleCounts {
  return getOrCreate(byPool, pool, () => new RecycleCounts());
}

/** How many more requests can be served at once. Dials under way are taken; those queued have asked first. */
export function countFree({ idleCount, totalCount, waitingCount, options }: HookablePool): number {
  return idleCount + (options.max - totalCount) - waitingCount;
}
