import { expectedSecret } from "../errors.ts";
import { decide, decidedReason, undecide } from "../watch/close-reason.ts";
import {
  type ConnectCallback,
  type HookableClient,
  type HookablePool,
  isPool,
  type PgClient,
  type PgPool,
} from "../watch/pg-types.ts";

/**
 * pg-pool from the inside, as far as recycling reads or calls it. The members with an underscore are not public; they are
 * the same from pg-pool 3.6 to 3.14, and are checked for before a pool is recycled. Three are wrapped: `newClient`,
 * `_release` and `_remove`.
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
  /** Absent in versions that do not know `min`. */
  _isAboveMin?(): boolean;
  _pulseQueue(): void;
  _acquireClient(client: PgClient, item: PendingItem, idleListener: IdleListener, isNew: boolean): void;
  _release(client: PgClient, idleListener: IdleListener, error?: unknown): void;
  /** Calls back when the connection has ended; older versions never do. */
  _remove(client: PgClient, callback?: () => void): void;
}

export type IdleListener = (error: Error) => void;

export interface IdleItem {
  readonly client: PgClient;
  readonly idleListener: IdleListener;
  readonly timeoutId?: NodeJS.Timeout | undefined;
}

/** A caller in pg-pool's hands. */
export interface PendingItem {
  readonly callback: ConnectCallback;
  /** The caller has its error; pg-pool releases what it still opens for it. */
  timedOut?: boolean;
}

/** A client from the inside. What is optional is absent in `pg.native`, or in some versions. */
export interface ClientInside extends HookableClient {
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
  query(text: string, callback: (error?: unknown) => void): unknown;
  ref?(): void;
  unref?(): void;
  /** Set when pg-pool hands the client out. */
  readonly release?: unknown;
  readonly connection?: HookableClient["connection"] & {
    prependListener?(event: string, listener: (message?: never) => void): unknown;
    /** The Terminate message was sent. */
    readonly _ending?: boolean;
    readonly stream?: {
      destroy?(): unknown;
      once?(event: string, listener: () => void): unknown;
      readonly destroyed?: boolean;
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

/** Whether this is pg-pool itself, and not only an object with the same public members. */
function hasInside(pool: HookablePool): pool is PoolInside {
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

/** The same pool, with what is inside pg-pool. */
export function insideOf(pool: PgPool): PoolInside {
  if (isPool(pool) && hasInside(pool)) return pool;
  throw expectedSecret("pool", "a pg.Pool", pool, "POOLSCOPE_INVALID_POOL");
}

/** Its socket is closed, or about to close: no statement will be answered. */
export function isBroken(client: ClientInside): boolean {
  const stream = client.connection?.stream;
  return client._queryable === false || client._ending === true || stream?.destroyed === true;
}

export function isIdle(pool: PoolInside, client: PgClient): boolean {
  return pool._idle.some((item) => item.client === client);
}

/** A client without such a field, of `pg.native` for one, is taken for connected. */
export function isConnected(client: PgClient): boolean {
  return (client as { _connected?: boolean })._connected !== false;
}

/** A statement is running, or queued. */
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
 * The running statement was given up by `query_timeout` of the pool: pg then replaces its callback, which with that
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

/** The beginning of pg-pool's `_release`: to every listener the client is released now, and stays open. */
export function announceRelease(
  pool: PoolInside,
  client: ClientInside,
  idleListener: IdleListener,
  error: unknown,
): void {
  const decision = decidedReason(client);
  client.on("error", idleListener);
  client._poolUseCount = (client._poolUseCount ?? 0) + 1;
  decide(client, "kept");
  try {
    pool.emit("release", error, client);
  } finally {
    if (decision) decide(client, decision);
    else undecide(client);
  }
}

/** Takes a client out of the idle ones, so that pg-pool cannot hand it out. */
export function takeIdle(pool: PoolInside, item: IdleItem): void {
  const at = pool._idle.indexOf(item);
  if (at !== -1) pool._idle.splice(at, 1);
  clearTimeout(item.timeoutId);
  // As pg-pool does for a client it hands out: the answer keeps the process alive.
  (item.client as ClientInside).ref?.();
}

/** Puts a client among the idle ones, as the end of pg-pool's `_release` does, without events. */
export function addToIdle(pool: PoolInside, client: ClientInside, idleListener: IdleListener): void {
  const { idleTimeoutMillis, allowExitOnIdle, maxUses } = pool.options;
  const isUsedUp = maxUses !== undefined && (client._poolUseCount ?? 0) >= maxUses;
  const isExpired = pool._expired.delete(client);
  if (pool.ending || isBroken(client) || isUsedUp || isExpired) {
    const reason = isBroken(client) ? "connection_lost" : isUsedUp ? "max_uses" : "lifetime";
    // `flush` may have decided before.
    if (!decidedReason(client)) decide(client, pool.ending ? "pool_end" : reason);
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
}

/** Has pg-pool close a client and then serve its queue, in every version. */
export function remove(pool: PoolInside, client: PgClient): void {
  try {
    pool._remove(client, () => serve(pool));
  } finally {
    if (!callsBack(pool)) serve(pool);
  }
}

/** Whether `_remove` calls back; where it does not, the place is free at once. */
export function callsBack(pool: PoolInside): boolean {
  return (Object.getPrototypeOf(pool) as PoolInside)._remove.length >= 2;
}

/**
 * Lets pg-pool serve its queue. A constructor of `Client` that throws here takes the first caller out of the queue without
 * an answer, and no application code is above to catch the error: so it goes to that caller, and the next one is served.
 * What a listener or a callback of the application throws goes on, as from pg-pool.
 */
export function serve(pool: PoolInside): void {
  for (;;) {
    const first = pool._pendingQueue[0];
    const isDial = pool._idle.length === 0;
    try {
      pool._pulseQueue();
      return;
    } catch (error) {
      if (!isDial || first === undefined || pool._pendingQueue[0] === first) throw error;
      if (!first.timedOut) process.nextTick(first.callback, error as Error, undefined, () => {});
    }
  }
}

/** Ends a connection without the Terminate message: the server may not be there to read it. */
export function destroySocket(client: ClientInside): void {
  client.connection?.stream?.destroy?.();
}

/** Answers the callers in the queue, which a pool that ends does not serve any more. Each in a turn of its own: they may throw. */
export function refuseQueued(pool: PoolInside, refusal: () => Error): void {
  for (const item of pool._pendingQueue.splice(0)) {
    if (!item.timedOut) process.nextTick(item.callback, refusal(), undefined, () => {});
  }
}

/** Has a public count of the pool show more than pg-pool knows of. */
export function addToCount(
  pool: PoolInside,
  name: "waitingCount" | "idleCount",
  more: () => number,
): () => void {
  // An own property is somebody else's, who knows better.
  if (Object.hasOwn(pool, name)) return () => {};
  const get = (): number => Reflect.get(Object.getPrototypeOf(pool), name, pool) + more();
  Object.defineProperty(pool, name, { get, configurable: true, enumerable: false });
  return () => {
    if (Object.getOwnPropertyDescriptor(pool, name)?.get === get) Reflect.deleteProperty(pool, name);
  };
}
