import { errorMonitor } from "node:events";
import { CallSite } from "./call-site.ts";
import type { Callers } from "./callers.ts";
import { type DialObserver, hookDials } from "./dial-hooks.ts";
import type { Hold } from "./hold.ts";
import type { Moment } from "./moment.ts";
import { override } from "./override.ts";
import type { ConnectCallback, HookablePool, PgClient } from "./pg-types.ts";
import { settlingCallback, settlingPromises } from "./settling.ts";

/** Hears what happens in one pool. Its methods are called in the middle of the application's work. */
export interface PoolObserver extends DialObserver {
  /** Whether it is of interest where the application asks for the connection it is about to ask for. */
  notesSite(): boolean;
  /**
   * Someone asks for a client; called before pg-pool sees the request.
   *
   * @param isExplicit The application called `connect`, and is to release; otherwise `pool.query` does
   * @param site Where it did so, if {@link notesSite}
   */
  requested(isExplicit: boolean, site: CallSite | undefined): Hold;
  /** What came of it. Called once. */
  settled(hold: Hold, error: unknown, client: PgClient | undefined): void;
  /** pg-pool has the request: it is queued, or being served. */
  enqueued(): void;
  connected(client: PgClient): void;
  /** pg-pool is about to take the client back, or to close it. */
  released(client: PgClient, error: unknown): void;
  /** An idle client broke and was closed. */
  lost(client: PgClient): void;
  /** A closed client has said goodbye. */
  removed(client: PgClient): void;
  /** One of the above threw. The application must not notice. */
  faulted(fault: unknown): void;
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
  watcher: PoolObserver,
  callers: Callers,
  moment: Moment,
): () => void {
  const observer = guarded(watcher);
  let active = true;
  let isQuery = false;
  const { settled } = observer;
  const replacePromise = settlingPromises(pool, settled);

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
        observer.enqueued();
        return result;
      } catch (error) {
        // A constructor of `Client` may throw; pg-pool passes that on as it is.
        settled(hold, error, undefined);
        throw error;
      } finally {
        if (Before) pool.Promise = Before;
      }
    };
  });

  function heardCallback(callback: ConnectCallback, hold: Hold): ConnectCallback {
    if (hold.isExplicit) return settlingCallback(callback, settled, hold);
    // Of pg-pool itself, which queries at once: to gather the arguments of any callback would be dearer.
    return function handedOut(this: unknown, error, client, release) {
      settled(hold, error, client);
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

type Guarded = Omit<PoolObserver, "requested" | "settled" | "faulted"> & {
  requested(isExplicit: boolean, site: CallSite | undefined): Hold | undefined;
  settled(hold: Hold, error: unknown, client?: PgClient): void;
};

/** The hooks run in the middle of the application's work: a mistake of ours must stay ours. */
function guarded(observer: PoolObserver): Guarded {
  const guard =
    <A, B>(act: (a: A, b: B) => void) =>
    (a: A, b?: B): void => {
      try {
        act.call(observer, a, b as B);
      } catch (fault) {
        observer.faulted(fault);
      }
    };
  // What every checkout comes through is spelt out: calls by way of one function for all cannot be inlined.
  return {
    notesSite: () => observer.notesSite(),
    requested(isExplicit: boolean, site: CallSite | undefined): Hold | undefined {
      try {
        return observer.requested(isExplicit, site);
      } catch (fault) {
        observer.faulted(fault);
        return undefined;
      }
    },
    settled(hold: Hold, error: unknown, client?: PgClient): void {
      try {
        observer.settled(hold, error, client);
      } catch (fault) {
        observer.faulted(fault);
      }
    },
    enqueued(): void {
      try {
        observer.enqueued();
      } catch (fault) {
        observer.faulted(fault);
      }
    },
    released(client: PgClient, error: unknown): void {
      try {
        observer.released(client, error);
      } catch (fault) {
        observer.faulted(fault);
      }
    },
    dialStarted: guard(observer.dialStarted),
    dialFailed: guard(observer.dialFailed),
    connected: guard(observer.connected),
    lost: guard(observer.lost),
    removed: guard(observer.removed),
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
