import { override } from "../watch/override.ts";
import { exchange, type Outcome, PING } from "./exchange.ts";
import { type ClientInside, type IdleListener, isBroken, type PendingItem, shelve } from "./inside.ts";
import type { Recycler } from "./recycler.ts";

const MAX_PINGS = 2;

/**
 * Looks at an idle client before pg-pool hands it out, and before it tells anybody: one that was idle for a while has to
 * answer a ping. When it does not, whoever asked gets another one, and never notices.
 */
export function hookCheckouts(recycler: Recycler): () => void {
  const { pool, settings } = recycler;
  const pingsOf = new WeakMap<PendingItem, number>();

  const unhook = override(pool, "_acquireClient", (original) => {
    return function _acquireClient(given, item, idleListener, isNew) {
      const client = given as ClientInside;
      const fate = recycler.isActive ? judge(client, item, isNew) : "as ever";
      if (fate === "as ever") {
        original.call(pool, client, item, idleListener, isNew);
      } else if (fate === "broken") {
        recycler.discard(client, "connection_lost", "at once");
        retry(item, false);
      } else {
        ping(recycler, client, idleListener, (outcome) => {
          if (outcome !== "answered") retry(item, outcome === "silent");
          else if (item.timedOut) shelve(pool, client, idleListener);
          else original.call(pool, client, item, idleListener, false);
        });
      }
    };
  });

  function judge(client: ClientInside, item: PendingItem, isNew: boolean): "as ever" | "broken" | "pinged" {
    try {
      if (isNew) {
        recycler.opened(client);
        return "as ever";
      }
      // pg-pool's own way of closing an idle client whose lifetime is over: it is still among the idle ones.
      if (pool._expired.has(client)) return "as ever";
      if (isBroken(client)) return "broken";
      const record = recycler.recordOf(client);
      if (record.pingWaiters) return "pinged";
      if (performance.now() - record.aliveAt < settings.pingAfterIdleMillis) return "as ever";
      const pings = pingsOf.get(item) ?? 0;
      if (pings >= MAX_PINGS) return "as ever";
      pingsOf.set(item, pings + 1);
      return "pinged";
    } catch (fault) {
      recycler.faulted(fault);
      return "as ever";
    }
  }

  /** @param isFresh After one timeout there is no time for another: a connection that is opened now is well. */
  function retry(item: PendingItem, isFresh: boolean): void {
    const hasTried = isFresh || (pingsOf.get(item) ?? 0) >= MAX_PINGS;
    if (item.timedOut) {
      pool._pulseQueue();
    } else if (pool.ending) {
      item.callback(new Error("Cannot use a pool after calling end on the pool"));
    } else if (pool._isFull() || (!hasTried && pool._idle.length > 0)) {
      // First in the queue again: it had its turn.
      pool._pendingQueue.unshift(item);
      pool._pulseQueue();
    } else {
      dial(item);
    }
  }

  function dial(item: PendingItem): void {
    try {
      pool.newClient(item);
    } catch (error) {
      // A constructor of `Client` may throw, and nobody is above us who could catch it.
      item.callback(error as Error);
    }
  }
  return unhook;
}

/** Asks a client that nobody holds whether it is there. One that does not answer is closed before `done` hears of it. */
export function ping(
  recycler: Recycler,
  client: ClientInside,
  idleListener: IdleListener,
  done: (outcome: Outcome) => void,
): void {
  const record = recycler.recordOf(client);
  if (record.pingWaiters) {
    record.pingWaiters.push(done);
    return;
  }
  record.pingWaiters = [done];
  recycler.counts.pings++;
  exchange(client, idleListener, PING, recycler.settings.pingTimeoutMillis, (outcome) => {
    const waiters = record.pingWaiters ?? [];
    record.pingWaiters = undefined;
    if (outcome === "answered") {
      record.aliveAt = performance.now();
      recycler.pingAnswered();
    } else if (recycler.pool._clients.includes(client)) {
      recycler.discard(client, outcome === "silent" ? "half_open" : "ping_failed", "at once");
      recycler.pingFailed();
    }
    for (const waiter of waiters) waiter(outcome);
  });
}
