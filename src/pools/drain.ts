import { PoolscopeError } from "../errors.ts";
import type { DrainOptions } from "../options.ts";
import { isBackendPid } from "../pg/backend-pid.ts";
import {
  type ClientInside,
  destroySocket,
  insideOf,
  isConnected,
  type PoolInside,
  refuseQueued,
  serve,
} from "../pg/pool-inside.ts";
import { recyclerOf } from "../recycling/recycle.ts";
import { override } from "../watch/override.ts";
import type { PgClient, PgPool } from "../watch/pg-types.ts";
import { watchOf } from "../watch/watch-of.ts";
import { resolveDrainOptions } from "./settings.ts";

/** A connection whose holder did not return it in time. What is not known is absent; most is known of a watched pool. */
export interface UnreturnedConnection {
  /** `pid` of `pg_stat_activity`. */
  readonly processId?: number;
  readonly heldSeconds?: number;
  /** Where it was asked for, like `src/reports.ts:41:23`. */
  readonly site?: string;
  /** The application's frames there, innermost first. */
  readonly stack: readonly string[];
  /** The statement finished last, like `SELECT`; where queries are measured. */
  readonly lastVerb?: string;
}

/** How a drain ended. */
export interface DrainReport {
  /** Everything was returned in time. */
  readonly isClean: boolean;
  /** What was not: those connections have been closed, and their transactions rolled back by the server. */
  readonly unreturned: readonly UnreturnedConnection[];
}

/**
 * Ends a pool for a graceful shutdown: no connection is handed out any more, holders are waited for, and then the pool
 * ends, whether all of them have returned what they hold or not.
 *
 * Callers without a connection are rejected with `POOLSCOPE_DRAINING`, those whose connection is still being opened at the
 * end with the error of that attempt; later ones with the error of a pool that has ended.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_INVALID_OPTION`
 */
export function drain(pool: PgPool, options?: DrainOptions): Promise<DrainReport> {
  const { timeoutMillis } = resolveDrainOptions(options);
  return end(insideOf(pool), timeoutMillis);
}

/** How long what was cut off may take to be reported. */
const CLOSE_MILLIS = 100;

async function end(pool: PoolInside, timeoutMillis: number): Promise<DrainReport> {
  refuseQueued(pool, draining);
  recyclerOf(pool)?.gate.refuse(draining);
  const ended = pool.ending ? undefined : Promise.resolve(pool.end());
  if (await within(timeoutMillis, ended ?? untilEnded(pool))) return reportOf([]);
  const held = pool._clients.filter(wasHandedOut);
  const report = reportOf(unreturnedOf(pool, held));
  closeAll(pool);
  await within(CLOSE_MILLIS, untilEnded(pool));
  return report;
}

function draining(): PoolscopeError {
  return new PoolscopeError(
    "POOLSCOPE_DRAINING",
    "The pool is being drained: nothing is handed out any more",
  );
}

function reportOf(unreturned: UnreturnedConnection[]): DrainReport {
  return Object.freeze({ isClean: unreturned.length === 0, unreturned: Object.freeze(unreturned) });
}

/** What is still being opened, or looked at by a hook of the pool, has no holder. */
function wasHandedOut(client: PgClient): boolean {
  return typeof (client as ClientInside).release === "function";
}

async function within(timeoutMillis: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  // Not unref'ed: it is the shutdown itself that waits, and an answer was promised.
  const expired = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMillis, false);
  });
  try {
    return await Promise.race([work.then(() => true), expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** The pool was ended before. */
async function untilEnded(pool: PoolInside): Promise<void> {
  while (!pool.ended) await new Promise((resolve) => setTimeout(resolve, 10).unref());
}

function unreturnedOf(pool: PoolInside, clients: readonly PgClient[]): UnreturnedConnection[] {
  const at = performance.now();
  const known = new Map([...(watchOf(pool)?.held() ?? [])].map((held) => [held.client as PgClient, held]));
  return clients.map((client) => {
    const { processID } = client as ClientInside;
    const held = known.get(client);
    const site = held?.hold.site?.location;
    const lastVerb = held?.lastVerb(held.hold);
    return Object.freeze({
      ...(isBackendPid(processID) && { processId: processID }),
      ...(held && { heldSeconds: (at - held.hold.since) / 1000 }),
      ...(site && { site }),
      stack: held?.hold.site?.frames ?? [],
      ...(lastVerb && { lastVerb }),
    });
  });
}

/** The next statement of a holder fails; a release after that does nothing. */
function closeAll(pool: PoolInside): void {
  const closed = new Set<PgClient>();
  override(pool, "_remove", (original) => {
    return function _remove(client, callback) {
      if (closed.has(client)) callback?.();
      else Reflect.apply(original, pool, [client, callback]);
    };
  });
  for (const client of [...pool._clients]) {
    const inside = client as ClientInside;
    // pg reports a dial that breaks, and pg-pool its caller; not where the client was ended before.
    if (!isConnected(client) && inside.connection?.stream) {
      destroySocket(inside);
      continue;
    }
    pool._remove(client, () => serve(pool));
    closed.add(client);
    destroySocket(inside);
  }
  serve(pool);
}
