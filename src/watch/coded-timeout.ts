import { DIAL_TIMEOUT, timeoutType } from "./dial-failure.ts";
import type { HookablePool } from "./pg-types.ts";
import { countWaiting } from "./pool-state.ts";

/** What is added to the timeout error of a pool with `codedTimeouts`. It stays the `Error` it was, with its message. */
export interface PoolTimeout {
  readonly code: "POOLSCOPE_WAIT_TIMEOUT" | "POOLSCOPE_DIAL_TIMEOUT";
  /** The pool when the caller gave up. */
  readonly pool: {
    readonly total: number;
    readonly idle: number;
    readonly waiting: number;
    readonly limit: number;
    /** SQLSTATE or Node error code of the last attempt to open a connection, if that failed. */
    readonly lastConnectError?: string;
  };
}

/** Tells a timeout from every other error, and what the pool looked like. Other errors stay as they are. */
export function codeTimeout(
  error: unknown,
  pool: HookablePool,
  lastConnectError: string | null | undefined,
): void {
  const type = timeoutType(error);
  if (type === undefined || "code" in (error as Error)) return;
  const added: PoolTimeout = {
    code: type === DIAL_TIMEOUT ? "POOLSCOPE_DIAL_TIMEOUT" : "POOLSCOPE_WAIT_TIMEOUT",
    pool: Object.freeze({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: countWaiting(pool),
      limit: Number(pool.options.max),
      ...(lastConnectError && { lastConnectError }),
    }),
  };
  Object.assign(error as Error, added);
}
