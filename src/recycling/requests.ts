import { PoolscopeError } from "../errors.ts";
import { codeTimeout } from "../watch/coded-timeout.ts";
import { dialErrorType } from "../watch/dial-failure.ts";
import { override } from "../watch/override.ts";
import type { ConnectCallback } from "../watch/pg-types.ts";
import { countWaiting } from "../watch/pool-state.ts";
import { countFree } from "../watch/recycled-pools.ts";
import { settlingCallback, settlingPromises } from "../watch/settling.ts";
import type { PoolInside } from "./inside.ts";
import type { Recycler } from "./recycler.ts";

/** Stands where callers come in: refuses those too many, marks the checkouts of `pool.query`, names timeouts. */
export function hookRequests(recycler: Recycler, isRetrying: () => boolean): () => void {
  const { pool, settings, counts } = recycler;
  let isQuery = false;

  counts.isRefusing = () =>
    recycler.isActive && countWaiting(pool) >= settings.maxWaiting && (countFree(pool) <= 0 || isRetrying());

  const codeTimeouts = {
    settled(_: undefined, error: unknown): void {
      if (error)
        codeTimeout(error, pool, recycler.lastConnectError && dialErrorType(recycler.lastConnectError));
    },
  };
  const replacePromise = settlingPromises(pool, codeTimeouts);

  const unhookConnect = override(pool, "connect", (original) => {
    return function connect(this: PoolInside, callback?: ConnectCallback): unknown {
      const isOurs =
        recycler.isActive && this === pool && !pool.ending && (!callback || typeof callback === "function");
      // biome-ignore lint/complexity/noArguments: exactly as it was called
      if (!isOurs) return Reflect.apply(original, this, arguments as never);
      if (settings.maxWaiting !== Number.POSITIVE_INFINITY && counts.isRefusing()) return refuse(callback);

      const isCoded = settings.codedTimeouts && Boolean(pool.options.connectionTimeoutMillis);
      let heard = callback;
      if (heard && isQuery && settings.keepOnSqlError) heard = markingCallback(heard);
      if (heard && isCoded) heard = settlingCallback(heard, codeTimeouts, undefined);
      const Before = heard || !isCoded ? undefined : replacePromise(undefined);
      recycler.isArriving = true;
      try {
        return original.call(pool, heard);
      } finally {
        recycler.isArriving = false;
        if (Before) pool.Promise = Before;
      }
    };
  });

  // `query` calls `connect` before it returns: that is how its checkouts are told from the application's.
  const unhookQuery = override(pool, "query", (original) => {
    return function query(this: PoolInside, ...args: unknown[]): unknown {
      const wasQuery = isQuery;
      isQuery = true;
      try {
        return Reflect.apply(original, this, args);
      } finally {
        isQuery = wasQuery;
      }
    };
  });

  function markingCallback(callback: ConnectCallback): ConnectCallback {
    return function (this: unknown, ...args) {
      if (args[1]) recycler.recordOf(args[1]).isOfQuery = true;
      return Reflect.apply(callback, this, args);
    };
  }

  function refuse(callback: ConnectCallback | undefined): unknown {
    counts.rejected++;
    const { totalCount, waitingCount, options } = pool;
    const error = new PoolscopeError(
      "POOLSCOPE_TOO_MANY_WAITING",
      `${waitingCount} callers wait for a connection already (maxWaiting=${settings.maxWaiting}, ` +
        `${totalCount}/${options.max} connections open)`,
    );
    // Not `reject`: while a watch listens it is a plain function that stands here.
    if (!callback) return new pool.Promise((_, reject) => reject(error));
    process.nextTick(callback, error);
    return undefined;
  }

  return () => {
    unhookQuery();
    unhookConnect();
  };
}
