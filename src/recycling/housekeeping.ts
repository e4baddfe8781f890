import { ping } from "./checkout.ts";
import { type ClientInside, isIdle } from "./inside.ts";
import type { Recycler } from "./recycler.ts";

const MILLIS = 1000;
const SHORTEST_MILLIS = 10;
const LONGEST_MILLIS = 30_000;

/** Looks at the idle clients now and then: ends lives, and pings those that would go stale. One interval for a pool. */
export function startHousekeeping(recycler: Recycler): () => void {
  const { pool, settings } = recycler;
  const lifetimeMillis = settings.maxLifetimeSeconds * MILLIS || Number.POSITIVE_INFINITY;
  const keepAliveMillis = settings.keepAliveSeconds * MILLIS || Number.POSITIVE_INFINITY;
  const everyMillis = Math.min(
    LONGEST_MILLIS,
    Math.max(SHORTEST_MILLIS, Math.min(lifetimeMillis / 40, keepAliveMillis / 10)),
  );

  if (lifetimeMillis === Number.POSITIVE_INFINITY && keepAliveMillis === lifetimeMillis) return () => {};

  const look = () => {
    if (pool.ended) return clearInterval(timer);
    const at = performance.now();
    for (const { client: given, idleListener } of [...pool._idle]) {
      const client = given as ClientInside;
      const record = recycler.recordOf(client);
      // Closing one may have had another handed out.
      if (record.pingWaiters || !isIdle(pool, client)) continue;
      // The next look, which may be late, must not find it over its time.
      if (record.diesAt <= at + 2 * everyMillis) {
        recycler.discard(client, "lifetime", "goodbye");
      } else if (at - record.aliveAt >= keepAliveMillis - everyMillis) {
        ping(recycler, client, idleListener, () => {});
      }
    }
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (fault) {
      recycler.faulted(fault);
    }
  }, everyMillis).unref();
  return () => clearInterval(timer);
}
