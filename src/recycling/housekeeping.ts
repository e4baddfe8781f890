import type { IdleItem } from "../pg/pool-inside.ts";
import { pingIdle } from "./ping.ts";
import type { Recycler } from "./recycler.ts";

const MILLIS = 1000;
const SHORTEST_MILLIS = 10;
const LONGEST_MILLIS = 30_000;
/** Keep-alives begin so many sweeps early, so that some idle clients are left to hand out in each. */
const EARLY_SWEEPS = 3;

/** Sweeps the idle clients now and then: ends lives, and pings those that would go stale. One interval for a pool. */
export function startHousekeeping(recycler: Recycler): () => void {
  const { settings } = recycler;
  const lifetimeMillis = settings.maxLifetimeSeconds * MILLIS || Number.POSITIVE_INFINITY;
  const keepAliveMillis = settings.keepAliveSeconds * MILLIS || Number.POSITIVE_INFINITY;
  const everyMillis = Math.min(
    LONGEST_MILLIS,
    Math.max(SHORTEST_MILLIS, Math.min(lifetimeMillis / 40, keepAliveMillis / 10)),
  );
  if (lifetimeMillis === Number.POSITIVE_INFINITY && keepAliveMillis === lifetimeMillis) return () => {};

  // Weakly: a pool that the application has dropped is freed.
  const reference = new WeakRef(recycler);
  const timer = setInterval(() => {
    const one = reference.deref();
    if (!one || one.pool.ended) return clearInterval(timer);
    try {
      sweep(one, everyMillis, keepAliveMillis);
    } catch (fault) {
      one.internalError(fault);
    }
  }, everyMillis).unref();
  return () => clearInterval(timer);
}

function sweep(recycler: Recycler, everyMillis: number, keepAliveMillis: number): void {
  const { pool } = recycler;
  if (pool._pendingQueue.length > 0) recycler.serve();
  const at = performance.now();
  const stale: IdleItem[] = [];
  let overdue = 0;
  for (const item of [...pool._idle]) {
    const session = recycler.session(item.client);
    const restMillis = keepAliveMillis - (at - session.aliveAt);
    // The next sweep, which may be late, must not find it over its time.
    if (session.diesAt <= at + 2 * everyMillis) recycler.discard(item.client, "lifetime", "gracefully");
    else if (restMillis <= EARLY_SWEEPS * everyMillis) stale.push(item);
    if (restMillis <= everyMillis) overdue++;
  }
  // Half of them at a time, oldest first: meanwhile they cannot be handed out.
  stale.sort((a, b) => recycler.session(a.client).aliveAt - recycler.session(b.client).aliveAt);
  for (const item of stale.slice(0, Math.max(overdue, Math.ceil(stale.length / 2))))
    keepAlive(recycler, item);
}

function keepAlive(recycler: Recycler, item: IdleItem): void {
  // Closing one may have had another handed out.
  if (!recycler.pool._idle.includes(item)) return;
  pingIdle(recycler, item, recycler.settings.pingTimeoutMillis, "keep-alive", () => {});
}
