import {
  announceRelease,
  type ClientInside,
  destroySocket,
  isBroken,
  isBusy,
  isGivenUp,
} from "../pg/pool-inside.ts";
import { isKeptAfter } from "../pg/sql-states.ts";
import { decide, decidedReason } from "../watch/close-reason.ts";
import { Lease } from "./lease.ts";
import type { Recycler } from "./recycler.ts";
import type { Session } from "./session.ts";

type Closed = "connection_lost" | "lifetime" | "query_error" | "in_transaction";
/** What becomes of a released client: what pg-pool does, a close, or a lease that resets it or waits for its end. */
type Fate = Closed | "as ever" | "reset" | "ending";

/**
 * Looks at a client when it is given back: whether the next caller may have it as it is, only after a reset, or not at
 * all; and keeps those that pg-pool closes although nothing is wrong with their sessions.
 */
export function hookReleases(recycler: Recycler): () => void {
  const { pool, settings } = recycler;
  return recycler.hook("_release", (original) => {
    return function _release(given, idleListener, error) {
      const client = given as ClientInside;
      const fate = recycler.isActive ? judge(client, error) : "as ever";
      try {
        if (fate === "reset" || fate === "ending") {
          announceRelease(pool, client, idleListener, error);
          const lease = new Lease(recycler, client, idleListener, "release");
          if (fate === "reset") reset(recycler, lease, Boolean(error));
          else lease.wait(settings.halfOpenGraceMillis, () => lease.close("connection_lost", "gracefully"));
          return;
        }
        if (fate !== "as ever") {
          if (!decidedReason(client)) decide(client, fate);
          // pg-pool closes a client it finds here when it is released, without an error anybody would see.
          pool._expired.add(client);
        }
        original.call(pool, client, idleListener, error);
        if (fate === "query_error") destroySocket(client);
      } finally {
        if (recycler.gate.waiting > 0) recycler.gate.serve();
      }
    };
  });

  function judge(client: ClientInside, error: unknown): Fate {
    try {
      const session = recycler.session(client);
      const { isOfQuery } = session;
      session.isOfQuery = false;
      session.givenBack();
      if (pool.ending || isBroken(client)) return "as ever";
      if (error) return isOfQuery && settings.keepOnSqlError && isKept(session, error) ? "reset" : "as ever";
      if (session.isEnding) return "ending";
      if (session.isLost) return "connection_lost";
      if (session.aliveAt >= session.diesAt) return "lifetime";
      // The answer still due would be the next holder's to wait for.
      if (isGivenUp(client)) return "query_error";
      if (isBusy(client)) return "reset";
      return ofTransaction(session, isOfQuery);
    } catch (fault) {
      recycler.internalError(fault);
      return "as ever";
    }
  }

  function ofTransaction(session: Session, isOfQuery: boolean): Fate {
    if (!session.isInTransaction) {
      session.isTransactionOfQuery = false;
      return "as ever";
    }
    // `pool.query("BEGIN")`: a rollback here would make permanent what the next `pool.query` writes.
    if (isOfQuery) {
      session.isTransactionOfQuery = true;
      recycler.transactionLeftOpen(session.querySite);
    }
    if (session.isTransactionOfQuery || settings.transactionAtRelease === "ignore") return "as ever";
    return settings.transactionAtRelease === "destroy" ? "in_transaction" : "reset";
  }

  /** pg-pool closes the connection on which `pool.query` failed. It is kept where that would have cured nothing. */
  function isKept(session: Session, error: unknown): boolean {
    if (session.isLost || session.isAtFault || session.isTransactionOfQuery || session.hasState) return false;
    if (session.aliveAt >= session.diesAt || !isKeptAfter(error)) return false;
    // Without this connection the next caller would get an idle one, with what is set on that.
    return !pool._idle.some(({ client }) => recycler.session(client).hasState);
  }
}

/**
 * Waits for what is still running and ends a transaction left open; only then the next caller may have the client.
 *
 * @param hasFailed A statement of `pool.query` failed: a transaction is left to nobody
 */
function reset(recycler: Recycler, lease: Lease, hasFailed: boolean): void {
  const { settings } = recycler;
  const { client } = lease;
  const session = recycler.session(client);
  // With a `query_timeout` of the pool no caller waits for a statement any longer than that.
  const givenUpAfter = Number(client.connectionParameters?.query_timeout) || Number.POSITIVE_INFINITY;
  lease.untilReady(Math.min(settings.busyTimeoutMillis, givenUpAfter), (outcome) => {
    if (outcome === "broken") return lease.close("connection_lost", "at once");
    if (outcome !== "done") return lease.close("query_error", "at once");
    if (session.isLost) return lease.close("connection_lost", "gracefully");
    session.aliveAt = performance.now();
    const policy = settings.transactionAtRelease;
    if (!session.isInTransaction || (policy === "ignore" && !hasFailed)) return lease.giveBack();
    if (hasFailed || policy === "destroy") return lease.close("in_transaction", "gracefully");
    rollBack(recycler, lease, session);
  });
}

function rollBack(recycler: Recycler, lease: Lease, session: Session): void {
  lease.ask("ROLLBACK", recycler.settings.pingTimeoutMillis, (outcome) => {
    if (outcome === "silent") return lease.close("half_open", "at once");
    if (outcome !== "done" || session.isInTransaction) return lease.close("in_transaction", "at once");
    session.aliveAt = performance.now();
    lease.giveBack();
  });
}
