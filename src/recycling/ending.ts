import { type PoolInside, refuseQueued } from "../pg/pool-inside.ts";
import type { Recycler } from "./recycler.ts";

/**
 * Ends with the pool: leases are closed, so that `pool.end()` takes no longer than without recycling, and every caller
 * without a client is answered.
 */
export function hookEnd(recycler: Recycler): () => void {
  const { pool, gate, leases } = recycler;
  return recycler.hook("end", (original) => {
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
  });
}

function ended(): Error {
  return new Error("Cannot use a pool after calling end on the pool");
}
