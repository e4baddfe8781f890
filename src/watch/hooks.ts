import { opensTransaction } from "../pg/query-transaction.ts";
import { CallSite } from "./call-site.ts";
import type { Callers } from "./callers.ts";
import { type DialObserver, hookDials } from "./dial-hooks.ts";
import type { Hold } from "./hold.ts";
import type { Moment } from "./moment.ts";
import { isSame, override } from "./override.ts";
import type { ConnectCallback, HookablePool, PgClient } from "./pg-types.ts";
import { observeEvents, type PoolEvents } from "./pool-events.ts";
import { settlingCallback, settlingPromises, settlingResult } from "./settling.ts";

/** Hears what happens in one pool, in the middle of the application's work: nothing here may throw. */
export interface PoolObserver extends DialObserver, PoolEvents {
  /** How many frames to note of the place where the application is about to ask for a connection; 0 for none. */
  siteDepth(): number;
  /**
   * A client is asked for; called before pg-pool sees the request.
   *
   * @param isExplicit The application called `connect`, and is to release; otherwise `pool.query` does
   * @param isPromised The request has no callback
   * @param site Where it did so, if {@link siteDepth} is above 0
   * @returns Undefined: the request is not followed
   */
  requested(isExplicit: boolean, isPromised: boolean, site: CallSite | undefined): Hold | undefined;
  /** pg-pool has queued a request that has to wait. */
  enqueued(): void;
  /** What came of a request. Called again where a method of the application's own tries more than once. */
  settled(hold: Hold, error: unknown, client?: PgClient): void;
  /** Gives the callback of an explicit request the flow it is to run in. */
  keepFlow(callback: ConnectCallback, hold: Hold): ConnectCallback;
}

/**
 * Attaches an observer to one pool instance: its `connect`, `query` and `Client` properties and its public events.
 * Prototypes and other pools are not touched.
 *
 * What the application sees stays the same. A callback is called with the same arguments at the same moment; a promise
 * is the very promise pg-pool makes, with pg-pool's own stack repair, and with nothing chained to it: a rejection
 * nobody handles stays unhandled.
 *
 * @returns Puts the pool back as it was.
 */
export function hookPool(
  pool: HookablePool,
  observer: PoolObserver,
  callers: Callers,
  moment: Moment,
): () => void {
  let active = true;
  let isQuery = false;
  /** Where `pool.query` begins a transaction. */
  let querySite: CallSite | undefined;
  /** A promise of the request under way was made with the pool's constructor, and reports. */
  let isPromised = false;
  const replacePromise = settlingPromises<Hold>(pool, {
    promised: () => {
      isPromised = true;
    },
    settled: (hold, error, client) => observer.settled(hold, error, client),
  });

  const unhookConnect = override(pool, "connect", (original) => {
    return function connect(this: HookablePool, ...args: [callback?: ConnectCallback]): unknown {
      const callback = args[0];
      const isOurs =
        active &&
        !pool.ending &&
        (!callback || typeof callback === "function") &&
        (this === pool || isSame(this, pool));
      if (!isOurs) return Reflect.apply(original, this, args);

      const depth = isQuery ? 0 : observer.siteDepth();
      const site = isQuery ? querySite : depth > 0 ? new CallSite(depth) : undefined;
      const hold = observer.requested(!isQuery, !callback, site);
      if (!hold) return Reflect.apply(original, this, args);
      try {
        const result = callback
          ? original.call(this, heardCallback(callers.keep(callback), hold))
          : promisedResult(this, original, args, hold);
        if (hold.isWaiting) observer.enqueued();
        return result;
      } catch (error) {
        // A constructor of `Client` may throw; pg-pool passes that on as it is.
        observer.settled(hold, error);
        throw error;
      }
    };
  });

  function heardCallback(callback: ConnectCallback, hold: Hold): ConnectCallback {
    if (hold.isExplicit) return settlingCallback(observer.keepFlow(callback, hold), observer, hold);
    // Of pg-pool itself, which queries at once: to gather the arguments of any callback would be dearer.
    return function handedOut(this: unknown, error, client, release) {
      observer.settled(hold, error, client);
      // Without a connection pg-pool goes on to the application's own callback.
      if (hold.isHeld) moment.leave(hold.since);
      try {
        return callback.call(this, error, client, release);
      } finally {
        moment.pass();
      }
    };
  }

  function promisedResult(
    receiver: HookablePool,
    original: HookablePool["connect"],
    args: [callback?: ConnectCallback],
    hold: Hold,
  ): unknown {
    const Before = replacePromise(hold);
    isPromised = false;
    try {
      const result = Reflect.apply(original, receiver, args);
      // A subclass whose `connect` does something else first asks pg-pool later, past this hook.
      return isPromised ? result : settlingResult(result, observer, hold);
    } finally {
      pool.Promise = Before;
    }
  }

  // `query` calls `connect` before it returns: that is how the one is told from the other.
  const unhookQuery = override(pool, "query", (original) => {
    return function query(this: HookablePool, ...args: unknown[]): unknown {
      const wasQuery = isQuery;
      isQuery = true;
      querySite = opensTransaction(args[0]) ? new CallSite() : undefined;
      try {
        return Reflect.apply(original, this, args);
      } finally {
        isQuery = wasQuery;
      }
    };
  });

  const unhookClient = hookDials(pool, observer);
  const unlisten = observeEvents(pool, observer);

  return () => {
    active = false;
    unlisten();
    unhookQuery();
    unhookConnect();
    unhookClient();
  };
}
