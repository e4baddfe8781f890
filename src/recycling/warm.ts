import type { WarmOptions } from "../options.ts";
import { override } from "../watch/override.ts";
import type { PgClient, PgPool } from "../watch/pg-types.ts";
import { type ClientInside, type IdleListener, type PoolInside, remove, shelve } from "./inside.ts";
import { insideOf } from "./recycle.ts";
import { resolveWarmOptions } from "./recycle-settings.ts";

/**
 * Opens the connections that `min` promises and pg-pool opens only when they are asked for. Nobody is told of a checkout,
 * because there is none.
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
  const outcomes: Promise<void>[] = [];
  const unhook = shelveWhatIsOurs(pool);
  try {
    while (!pool.ending && pool.totalCount < connections) {
      outcomes.push(
        new Promise((resolve, reject) => {
          pool.newClient({
            isForShelf: true,
            callback: (error) => (error ? reject(error) : resolve()),
          });
        }),
      );
    }
    const failed = (await Promise.allSettled(outcomes)).find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return pool.totalCount;
  } finally {
    unhook();
  }
}

/** Instead of handing it out: a new client goes straight to the idle ones, after the pool's `verify` has seen it. */
function shelveWhatIsOurs(pool: PoolInside): () => void {
  return override(pool, "_acquireClient", (original) => {
    return function _acquireClient(client, item, idleListener, isNew) {
      if (!item.isForShelf) return Reflect.apply(original, pool, [client, item, idleListener, isNew]);
      pool.emit("connect", client);
      verified(pool, client, idleListener, (error) => {
        if (error) remove(pool, client);
        else shelve(pool, client as ClientInside, idleListener);
        item.callback(error, client);
      });
    };
  });
}

function verified(
  pool: PoolInside,
  client: PgClient,
  idleListener: IdleListener,
  done: (error?: Error) => void,
): void {
  const { verify } = pool.options;
  if (!verify) {
    done();
    return;
  }
  (client as ClientInside).removeListener("error", idleListener);
  verify(client, (error) => {
    (client as ClientInside).on("error", idleListener);
    done(error);
  });
}
