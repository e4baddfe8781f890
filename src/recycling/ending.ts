import type { PoolInside } from "../pg/pool-inside.ts";
import { override } from "../watch/override.ts";
import type { Recycler } from "./recycler.ts";

/**
 * Ends with the pool: leases are closed, so that `pool.end()` takes no longer than without recycling, and every caller
 * without a client is answered.
 */
export function hookEnd(recycler: Recycler): () => void {
  const { pool, gate, leases } = recycler;
  return override(
    pool,
    "end",
    (original) => {
      return function end(this: PoolInside): unknown {
        const isFirst = recycler.isActive && !pool.ending;
        try {
          // biome-ignore lint/complexity/noArguments: exactly as it was called
          return Reflect.apply(original, this, arguments as never);
        } finally {
          if (isFirst && pool.ending) {
            refuseQueued(pool, ended);
            gate.refuse((failure) => failure ?? ended());
            for (const lease of [...leases]) lease.close("pool_end", "gracefully");
          }
        }
      };
    },
    "recycling",
  );
}

function ended(): Error {
  return new Error("Cannot use a pool after calling end on the pool");
}

/** Answers the callers in pg-pool's queue, which it does not serve any more. In a turn of their own: callbacks may throw. */
export function refuseQueued(pool: PoolInside, refusal: () => Error): void {
  for (const item of pool._pendingQueue.splice(0)) {
    if (!item.timedOut) process.nextTick(item.callback, refusal(), undefined, () => {});
  }
}
