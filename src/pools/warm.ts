import type { WarmOptions } from "../options.ts";
import {
  addToIdle,
  type ClientInside,
  type IdleListener,
  insideOf,
  type PendingItem,
  type PoolInside,
  remove,
  serve,
} from "../pg/pool-inside.ts";
import { recyclerOf } from "../recycling/recycle.ts";
import { override } from "../watch/override.ts";
import type { PgPool } from "../watch/pg-types.ts";
import { resolveWarmOptions } from "./settings.ts";

/**
 * Opens the connections that `min` promises and pg-pool opens only when they are asked for. They become idle without a
 * checkout, and without the events of one.
 *
 * @returns How many connections the pool has then. Rejects with the first error when one could not be opened
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_INVALID_OPTION`
 */
export function warm(pool: PgPool, options?: WarmOptions): Promise<number> {
  const inside = insideOf(pool);
  const { min = 0, max } = inside.options;
  const { connections } = resolveWarmOptions(options, Number(min), Number(max));
  return open(inside, connections);
}

async function open(pool: PoolInside, connections: number): Promise<number> {
  const missing = pool.ending ? 0 : Math.max(0, connections - pool.totalCount);
  const items = new Set<PendingItem>();
  const unhook = makeIdle(pool, items);
  try {
    const dials = Array.from({ length: missing }, () => dial(pool, items));
    const failed = (await Promise.allSettled(dials)).find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return pool.totalCount;
  } finally {
    unhook();
  }
}

function dial(pool: PoolInside, items: Set<PendingItem>): Promise<void> {
  return new Promise((resolve, reject) => {
    const item: PendingItem = { callback: (error) => (error ? reject(error) : resolve()) };
    items.add(item);
    // A constructor of `Client` may throw: that is a rejection too.
    pool.newClient(item);
  });
}

/** Instead of being handed out a new client becomes idle at once, after the pool's `verify` has seen it. */
function makeIdle(pool: PoolInside, items: ReadonlySet<PendingItem>): () => void {
  return override(
    pool,
    "_acquireClient",
    (original) => {
      return function _acquireClient(client, item, idleListener, isNew) {
        if (!items.has(item)) return Reflect.apply(original, pool, [client, item, idleListener, isNew]);
        pool.emit("connect", client);
        verified(pool, client as ClientInside, idleListener, (error) => {
          recyclerOf(pool)?.session(client);
          if (error) remove(pool, client);
          else addToIdle(pool, client as ClientInside, idleListener);
          item.callback(error, client);
          if (!error) serve(pool);
        });
      };
    },
    "recycling",
  );
}

function verified(
  pool: PoolInside,
  client: ClientInside,
  idleListener: IdleListener,
  done: (error?: Error) => void,
): void {
  const { verify } = pool.options;
  if (!verify) {
    done();
    return;
  }
  client.removeListener("error", idleListener);
  verify(client, (error) => {
    client.on("error", idleListener);
    done(error);
  });
}
