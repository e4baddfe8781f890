import { errorMonitor } from "node:events";
import { CallSite } from "./call-site.ts";
import type { Callers } from "./callers.ts";
import { type DialObserver, hookDials } from "./dial-hooks.ts";
import type { Hold } from "./hold.ts";
import type { Moment } from "./moment.ts";
import { override } from "./override.ts";
import type { ConnectCallback, HookablePool, PgClient } from "./pg-types.ts";
import { settlingCallback, settlingPromises } from "./settling.ts";

/** Hears what happens in one pool, in the middle of the application's work: nothing here may throw. */
export interface PoolObserver extends DialObserver {
  /** Whether it is of interest where the application asks for the connection it is about to ask for. */
  notesSite(): boolean;
  /**
   * Someone asks for a client; called before pg-pool sees the request.
   *
   * @param isExplicit The application called `connect`, and is to release; otherwise `pool.query` does
   * @param site Where it did so, if {@link notesSite}
   * @returns Undefined: there is nothing to hear of it
   */
  requested(isExplicit: boolean, site: CallSite | undefined): Hold | undefined;
  /** pg-pool has queued a request that has to wait. */
  enqueued(): void;
  /** What came of a request. Called once. */
  settled(hold: Hold, error: unknown, client?: PgClient): void;
  connected(client: PgClient): void;
  /** pg-pool is about to take the client back, or to close it. */
  released(client: PgClient, error: unknown): void;
  /** An idle client broke and was closed. */
  lost(client: PgClient): void;
  /** A closed client has said goodbye. */
  removed(client: PgClient): void;
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
  const replacePromise = settlingPromises(pool, observer);

  const unhookConnect = override(pool, "connect", (original) => {
    return function connect(this: HookablePool, ...args: [callback?: ConnectCallback]): unknown {
      const callback = args[0];
      const isOurs = active && this === pool && !pool.ending && (!callback || typeof callback === "function");
      if (!isOurs) return Reflect.apply(original, this, args);

      const site = !isQuery && observer.notesSite() ? new CallSite() : undefined;
      const hold = observer.requested(!isQuery, site);
      if (!hold) return Reflect.apply(original, this, args);
      const Before = callback ? undefined : replacePromise(hold);
      try {
        const result = callback
          ? original.call(pool, heardCallback(callers.keep(callback), hold))
          : Reflect.apply(original, pool, args);
        if (hold.isWaiting) observer.enqueued();
        return result;
      } catch (error) {
        // A constructor of `Client` may throw; pg-pool passes that on as it is.
        observer.settled(hold, error);
        throw error;
      } finally {
        if (Before) pool.Promise = Before;
      }
    };
  });

  function heardCallback(callback: ConnectCallback, hold: Hold): ConnectCallback {
    if (hold.isExplicit) return settlingCallback(callback, observer, hold);
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

  // `query` calls `connect` before it returns: that is how the one is told from the other.
  const unhookQuery = override(pool, "query", (original) => {
    return function query(this: HookablePool, ...args: unknown[]): unknown {
      const wasQuery = isQuery;
      isQuery = true;
      try {
        return Reflect.apply(original, this, args);
      } finally {
        isQuery = wasQuery;
      }
    };
  });

  const unhookClient = hookDials(pool, observer, callers, () => active);
  const unlisten = listen(pool, {
    connect: (client) => observer.connected(client),
    release: (error: unknown, client) => observer.released(client, error),
    remove: (client) => observer.removed(client),
    // An `error` listener would keep the application alive where it would have died.
    [errorMonitor]: (_error: unknown, client) => observer.lost(client),
  });

  return () => {
    active = false;
    unlisten();
    unhookQuery();
    unhookConnect();
    unhookClient();
  };
}

type Listener = (...args: never[]) => void;

function listen(
  pool: HookablePool,
  listeners: {
    connect(client: PgClient): void;
    release(error: unknown, client: PgClient): void;
    remove(client: PgClient): void;
    [errorMonitor](error: unknown, client: PgClient): void;
  },
): () => void {
  const names = Reflect.ownKeys(listeners) as (keyof typeof listeners)[];
  for (const name of names) pool.on(name, listeners[name] as Listener);
  return () => {
    for (const name of names) pool.removeListener(name, listeners[name] as Listener);
  };
}
