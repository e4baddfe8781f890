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

/** What a pool hands out. Only its identity matters here. */
export type PgClient = object;

export type ConnectCallback = (error: Error | undefined, client?: PgClient, release?: unknown) => void;

export interface DialingClient extends PgClient {
  connect(callback?: (error?: Error | null) => void): unknown;
}

export type ClientConstructor = new (...args: unknown[]) => DialingClient;

/** Settings read live from `pool.options`: applications change them at run time. */
interface PgPoolOptions {
  max: number;
  min?: number;
  connectionTimeoutMillis?: number;
}

/** A pool as the hooks see it. Members with an underscore are not public: they are read only where present. */
export interface HookablePool extends PgPool {
  readonly options: PgPoolOptions;
  readonly ending: boolean;
  readonly ended: boolean;
  Client?: ClientConstructor;
  Promise: PromiseConstructor;
  connect(callback?: ConnectCallback): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
  /** Every open or dialing client. Tells dialing clients from used ones when a pool is already at work. */
  readonly _clients?: readonly PgClient[];
}

/** Whether `value` has everything the hooks use. */
export function isPool(value: unknown): value is HookablePool {
  if (typeof value !== "object" || value === null) return false;
  const pool = value as Partial<HookablePool>;
  return (
    typeof pool.connect === "function" &&
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
