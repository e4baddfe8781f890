import { decide } from "../watch/close-reason.ts";
import type { ConnectCallback, HookableClient, HookablePool, PgClient } from "../watch/pg-types.ts";

/**
 * pg-pool from the inside: the members that hand a client out, take it back and close it. They are not public, and they
 * are the same from pg-pool 3.6 to 3.14. Only here can a client be looked at before anybody is told of it: everything
 * that wraps `connect` from the outside has pg-pool announce checkouts that never were.
 * https://github.com/brianc/node-postgres/blob/master/packages/pg-pool/index.js
 */
export interface PoolInside extends HookablePool {
  readonly options: HookablePool["options"] & {
    idleTimeoutMillis?: number;
    allowExitOnIdle?: boolean;
    maxLifetimeSeconds?: number;
    verify?: (client: PgClient, done: (error?: Error) => void) => void;
  };
  _clients: PgClient[];
  _idle: IdleItem[];
  _pendingQueue: PendingItem[];
  readonly _expired: WeakSet<PgClient>;
  emit(event: string, ...args: unknown[]): boolean;
  newClient(item: PendingItem): void;
  _isFull(): boolean;
  /** Not in older ones, which do not know `min`. */
  _isAboveMin?(): boolean;
  _pulseQueue(): void;
  _acquireClient(client: PgClient, item: PendingItem, idleListener: IdleListener, isNew: boolean): void;
  _release(client: PgClient, idleListener: IdleListener, error?: unknown): void;
  /** Calls back when the socket has closed; older ones do not. */
  _remove(client: PgClient, callback?: () => void): void;
}

export type IdleListener = (error: Error) => void;

interface IdleItem {
  readonly client: PgClient;
  readonly idleListener: IdleListener;
  readonly timeoutId?: NodeJS.Timeout | undefined;
}

/** Somebody who asked for a client. */
export interface PendingItem {
  readonly callback: ConnectCallback;
  /** Gave up, and was told so. */
  timedOut?: boolean;
  /** Opened for the shelf, and for nobody. */
  readonly isForShelf?: boolean;
}

/** A client from the inside. What is optional is not there in `pg.native`, or not in every version. */
export interface ClientInside extends HookableClient {
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
  query(text: string, callback: (error?: unknown) => void): unknown;
  ref?(): void;
  unref?(): void;
  readonly connection?: HookableClient["connection"] & {
    prependListener?(event: string, listener: (message?: never) => void): unknown;
    readonly stream?: {
      destroy?(): unknown;
      once?(event: string, listener: () => void): unknown;
      readonly destroyed?: boolean;
      readonly writable?: boolean;
    };
  };
  readonly connectionParameters?: { readonly query_timeout?: unknown };
  _poolUseCount?: number;
  _activeQuery?: { readonly callback?: unknown } | null;
  _queryQueue?: unknown[];
  _pulseQueryQueue?(): void;
  /** Newer clients have these two with an underscore, and warn when they are read without. */
  readonly activeQuery?: { readonly callback?: unknown } | null;
  readonly queryQueue?: unknown[];
}

const METHODS = [
  "emit",
  "newClient",
  "_isFull",
  "_pulseQueue",
  "_acquireClient",
  "_release",
  "_remove",
] as const;

/** Whether this is pg-pool itself, and not only something that looks like it from the outside. */
export function hasInside(pool: HookablePool): pool is PoolInside {
  const inside = pool as Partial<PoolInside>;
  const { _clients, _idle, _pendingQueue, _expired } = inside;
  return (
    METHODS.every((name) => typeof inside[name] === "function") &&
    Array.isArray(_clients) &&
    Array.isArray(_idle) &&
    Array.isArray(_pendingQueue) &&
    _expired instanceof WeakSet
  );
}

/** Its socket is closed or about to: no question will be answered. */
export function isBroken(client: ClientInside): boolean {
  const stream = client.connection?.stream;
  return client._queryable === false || client._ending === true || stream?.destroyed === true;
}

export function isIdle(pool: PoolInside, client: PgClient): boolean {
  return pool._idle.some((item) => item.client === client);
}

/** A statement is running, or waiting to. */
export function isBusy(client: ClientInside): boolean {
  return client.readyForQuery === false || (queueOf(client)?.length ?? 0) > 0;
}

export function queueOf(client: ClientInside): unknown[] | undefined {
  return "_queryQueue" in client ? client._queryQueue : client.queryQueue;
}

function activeQueryOf(client: ClientInside): { readonly callback?: unknown } | null | undefined {
  return "_activeQuery" in client ? client._activeQuery : client.activeQuery;
}

/**
 * The statement under way was given up by `query_timeout` of the pool: pg then replaces its callback, which with that
 * setting always has two parameters, by an empty function.
 */
export function isGivenUp(client: ClientInside): boolean {
  const callback = activeQueryOf(client)?.callback;
  return (
    Number(client.connectionParameters?.query_timeout) > 0 &&
    typeof callback === "function" &&
    callback.length === 0
  );
}

/** Puts a client that nobody holds among the idle ones, as the end of pg-pool's `_release` does, and tells nobody. */
export function shelve(pool: PoolInside, client: ClientInside, idleListener: IdleListener): void {
  const { idleTimeoutMillis, allowExitOnIdle, maxUses } = pool.options;
  const isUsedUp = maxUses !== undefined && (client._poolUseCount ?? 0) >= maxUses;
  const isExpired = pool._expired.delete(client);
  if (pool.ending || isBroken(client) || isUsedUp || isExpired) {
    decide(
      client,
      pool.ending ? "pool_end" : isBroken(client) ? "connection_lost" : isUsedUp ? "max_uses" : "lifetime",
    );
    remove(pool, client);
    return;
  }
  const isAboveMin = () => pool._isAboveMin?.() ?? true;
  let timeoutId: NodeJS.Timeout | undefined;
  if (idleTimeoutMillis && isAboveMin()) {
    timeoutId = setTimeout(() => {
      if (isAboveMin()) remove(pool, client);
    }, idleTimeoutMillis);
    if (allowExitOnIdle) timeoutId.unref();
  }
  if (allowExitOnIdle) client.unref?.();
  pool._idle.push({ client, idleListener, timeoutId });
  pool._pulseQueue();
}

/** Has pg-pool close a client, and serves who waits for its place, in every version. */
export function remove(pool: PoolInside, client: PgClient): void {
  pool._remove(client, () => pool._pulseQueue());
  // Older ones do not call back: the place is free at once.
  const { _remove } = Object.getPrototypeOf(pool) as PoolInside;
  if (_remove.length < 2) pool._pulseQueue();
}

/** Ends a connection without a goodbye: whoever is on the other side may not be there any more. */
export function destroySocket(client: ClientInside): void {
  client.connection?.stream?.destroy?.();
}
