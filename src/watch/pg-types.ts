/**
 * The smallest shapes of `pg` that poolscope needs. `pg` itself is never imported: pools of any copy and version of it
 * can be watched, and pools that only look like one.
 * See https://node-postgres.com/apis/pool
 */

/** A node-postgres pool, as far as a caller of {@link watch} has to show it. `pg.Pool` fits. */
export interface PgPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: object;
}

/** What a pool hands out. To most of the code only its identity matters. */
export type PgClient = object;

export type ConnectCallback = (error: Error | undefined, client?: PgClient, release?: unknown) => void;

export interface DialingClient extends PgClient {
  connect(callback?: (error?: Error | null) => void): unknown;
  readonly _connecting?: boolean;
  readonly _connected?: boolean;
}

/** A client as its connection record reads it. pg-native's clients lack some of it. */
export interface HookableClient extends PgClient {
  readonly processID?: number | null;
  /** False while a statement runs. */
  readonly readyForQuery?: boolean;
  /** Since pg 8.21. */
  getTransactionStatus?(): "I" | "T" | "E" | null;
  /** The wire below: its events carry the server's messages. */
  readonly connection?: {
    on?(event: string, listener: (message?: never) => void): unknown;
    prependListener?(event: string, listener: (message?: never) => void): unknown;
    removeListener?(event: string, listener: (message?: never) => void): unknown;
    readonly stream?: { readonly bytesRead?: number; readonly bytesWritten?: number };
  };
  /** The query under way. Without the underscore in older clients. */
  readonly _activeQuery?: unknown;
  readonly activeQuery?: unknown;
  listenerCount?(event: string): number;
  readonly _queryable?: boolean;
  readonly _ending?: boolean;
  readonly _poolUseCount?: number;
}

export type ClientConstructor = new (...args: unknown[]) => DialingClient;

/** Settings read live from `pool.options`: applications change them at run time. */
interface PgPoolOptions {
  max: number;
  min?: number;
  maxUses?: number;
  connectionTimeoutMillis?: number;
}

/** A pool as the hooks see it. Members with an underscore are not public: they are read only where present. */
export interface HookablePool extends PgPool {
  readonly options: PgPoolOptions;
  readonly ending: boolean;
  readonly ended: boolean;
  Client: ClientConstructor;
  Promise: PromiseConstructor;
  connect(callback?: ConnectCallback): unknown;
  query(...args: unknown[]): unknown;
  end(): unknown;
  on(event: string | symbol, listener: (...args: never[]) => void): unknown;
  removeListener(event: string | symbol, listener: (...args: never[]) => void): unknown;
  listeners?(event: string | symbol): readonly unknown[];
  /** Every open or dialing client. Tells dialing clients from used ones, and which are gone. */
  readonly _clients?: readonly PgClient[];
  readonly _idle?: readonly { readonly client: PgClient }[];
  /** Callers to be served with the next client. */
  readonly _pendingQueue?: readonly unknown[];
  /** Clients whose lifetime is over. */
  readonly _expired?: WeakSet<PgClient>;
}

/** Whether `value` has everything the hooks use. */
export function isPool(value: unknown): value is HookablePool {
  if (typeof value !== "object" || value === null) return false;
  const pool = value as Partial<HookablePool>;
  return (
    typeof pool.connect === "function" &&
    typeof pool.query === "function" &&
    typeof pool.Client === "function" &&
    typeof pool.on === "function" &&
    typeof pool.removeListener === "function" &&
    typeof pool.totalCount === "number" &&
    typeof pool.idleCount === "number" &&
    typeof pool.waitingCount === "number" &&
    typeof pool.options === "object" &&
    pool.options !== null &&
    // pg-pool takes max: "30" as well; what matters is that it compares as a number.
    Number(pool.options.max) > 0
  );
}
