import { decide, undecide } from "../watch/close-reason.ts";
import { override } from "../watch/override.ts";
import type { ClientRecord } from "./client-record.ts";
import { exchange } from "./exchange.ts";
import {
  type ClientInside,
  destroySocket,
  type IdleListener,
  isBroken,
  isBusy,
  isGivenUp,
  shelve,
} from "./inside.ts";
import type { Recycler } from "./recycler.ts";

type Evicted = "connection_lost" | "lifetime" | "query_error" | "in_transaction";
type Fate = Evicted | "as ever" | "tidied";

/**
 * Looks at a client when it is given back: whether the next one may have it as it is, only after it was tidied, or not at
 * all; and keeps those that pg-pool closes although nothing is wrong with them.
 */
export function hookReleases(recycler: Recycler): () => void {
  const { pool, settings } = recycler;
  return override(pool, "_release", (original) => {
    return function _release(given, idleListener, error) {
      const client = given as ClientInside;
      const fate = recycler.isActive ? judge(client, error) : "as ever";
      if (fate === "tidied") {
        announce(client, idleListener, error);
        tidy(recycler, client, idleListener, Boolean(error));
        return;
      }
      if (fate !== "as ever") {
        decide(client, fate);
        // pg-pool closes a client it finds here when it is released, without an error anybody would see.
        pool._expired.add(client);
      }
      original.call(pool, client, idleListener, error);
      if (fate === "query_error") destroySocket(client);
    };
  });

  function judge(client: ClientInside, error: unknown): Fate {
    try {
      const record = recycler.recordOf(client);
      const { isOfQuery } = record;
      record.isOfQuery = false;
      record.aliveAt = performance.now();
      if (pool.ending || isBroken(client)) return "as ever";
      if (error) {
        const isKept = settings.keepOnSqlError && isOfQuery && isPlainSqlError(error);
        return isKept && !record.isCondemned && record.aliveAt < record.diesAt ? "tidied" : "as ever";
      }
      if (record.isCondemned) return "connection_lost";
      if (record.aliveAt >= record.diesAt) return "lifetime";
      // The answer still due would be the next holder's to wait for.
      if (isGivenUp(client)) return "query_error";
      if (isBusy(client)) return "tidied";
      if (!record.isInTransaction || settings.transactionAtRelease === "ignore") return "as ever";
      return settings.transactionAtRelease === "destroy" ? "in_transaction" : "tidied";
    } catch (fault) {
      recycler.faulted(fault);
      return "as ever";
    }
  }

  /** The beginning of pg-pool's `_release`: to everybody who listens the client is released now, as ever. */
  function announce(client: ClientInside, idleListener: IdleListener, error: unknown): void {
    client.on("error", idleListener);
    client._poolUseCount = (client._poolUseCount ?? 0) + 1;
    decide(client, "kept");
    try {
      pool.emit("release", error, client);
    } finally {
      undecide(client);
    }
  }
}

/**
 * Waits for what is still running, ends a transaction left open, and only then lets the next one have the client.
 *
 * @param mayBeLeftOver A failed statement ran on it: pg-pool would have closed it, so that nothing of it is left.
 */
function tidy(
  recycler: Recycler,
  client: ClientInside,
  idleListener: IdleListener,
  mayBeLeftOver: boolean,
): void {
  const { pool, settings } = recycler;
  const record = recycler.recordOf(client);
  // With a `query_timeout` of the pool nobody waits for a statement any longer than that.
  const givenUpAfter = Number(client.connectionParameters?.query_timeout) || Number.POSITIVE_INFINITY;
  whenReady(client, Math.min(settings.busyTimeoutMillis, givenUpAfter), (isReady) => {
    try {
      if (!pool._clients.includes(client)) return;
      if (!isReady) return recycler.discard(client, "query_error", "at once");
      if (record.isCondemned) return recycler.discard(client, "connection_lost", "goodbye");
      record.aliveAt = performance.now();
      if (!record.isInTransaction) return shelve(pool, client, idleListener);
      if (settings.transactionAtRelease === "rollback")
        return rollBack(recycler, client, record, idleListener);
      if (settings.transactionAtRelease === "ignore" && !mayBeLeftOver) {
        return shelve(pool, client, idleListener);
      }
      recycler.discard(client, "in_transaction", "goodbye");
    } catch (fault) {
      recycler.faulted(fault);
    }
  });
}

function rollBack(
  recycler: Recycler,
  client: ClientInside,
  record: ClientRecord,
  idleListener: IdleListener,
): void {
  exchange(client, idleListener, "ROLLBACK", recycler.settings.pingTimeoutMillis, (outcome) => {
    if (outcome === "silent") return recycler.discard(client, "half_open", "at once");
    if (outcome === "failed" || record.isInTransaction) {
      return recycler.discard(client, "in_transaction", "at once");
    }
    record.aliveAt = performance.now();
    shelve(recycler.pool, client, idleListener);
  });
}

/** Once no statement is running or waiting to; false when that takes too long. */
function whenReady(client: ClientInside, timeoutMillis: number, done: (isReady: boolean) => void): void {
  const { connection } = client;
  if (!isBusy(client) || !connection?.on) {
    done(true);
    return;
  }
  const finish = (isReady: boolean) => {
    clearTimeout(timer);
    connection.removeListener?.("readyForQuery", look);
    done(isReady);
  };
  // The client hears of it first, and may have sent its next statement by now.
  const look = () => {
    if (!isBusy(client)) finish(true);
  };
  const timer = setTimeout(finish, timeoutMillis, false).unref();
  connection.on("readyForQuery", look);
}

/** The server refused a statement and carries on: a SQLSTATE with severity ERROR. */
function isPlainSqlError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  // Severities come in the server's language; what ends the session is known by its code.
  const isOfServer = typeof severity === "string" && typeof code === "string" && /^[0-9A-Z]{5}$/.test(code);
  return isOfServer && !/^(FATAL|PANIC)$/.test(severity as string);
}
