import { PoolscopeError } from "../errors.ts";
import type { DrainOptions } from "../options.ts";
import { override } from "../watch/override.ts";
import type { PgClient, PgPool } from "../watch/pg-types.ts";
import { watchOf } from "../watch/watch-of.ts";
import { type ClientInside, destroySocket, type PoolInside } from "./inside.ts";
import { insideOf } from "./recycle.ts";
import { resolveDrainOptions } from "./recycle-settings.ts";

/** A connection whose holder did not return it in time. What is not known is absent; most is known of a watched pool. */
export interface UnreturnedConnection {
  /** `pid` of `pg_stat_activity`. */
  readonly processId?: number;
  readonly heldSeconds?: number;
  /** Where it was asked for, like `src/reports.ts:41`. */
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
 * Ends a pool for a graceful shutdown: nothing is handed out any more, holders are waited for, and then the pool ends,
 * whether all of them have returned what they hold or not.
 *
 * Whoever is in the queue, and has not got a connection, is rejected with `POOLSCOPE_DRAINING`; whoever comes later gets
 * the error of a pool that has ended.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_INVALID_OPTION`
 */
export function drain(pool: PgPool, options?: DrainOptions): Promise<DrainReport> {
  const { timeoutMillis } = resolveDrainOptions(options);
  return end(insideOf(pool), timeoutMillis);
}

async function end(pool: PoolInside, timeoutMillis: number): Promise<DrainReport> {
  const queued = pool._pendingQueue.splice(0);
  const ended = pool.ending ? undefined : Promise.resolve(pool.end());
  for (const item of queued) {
    const message = "The pool is being drained: nothing is handed out any more";
    if (!item.timedOut) item.callback(new PoolscopeError("POOLSCOPE_DRAINING", message), undefined, () => {});
  }
  const isClean = await within(timeoutMillis, ended ?? untilEnded(pool));
  if (isClean) return Object.freeze({ isClean, unreturned: [] });
  const unreturned = Object.freeze(unreturnedOf(pool));
  closeAll(pool);
  return Object.freeze({ isClean, unreturned });
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

/** Somebody else has ended the pool already. */
async function untilEnded(pool: PoolInside): Promise<void> {
  while (!pool.ended) await new Promise((resolve) => setTimeout(resolve, 10).unref());
}

function unreturnedOf(pool: PoolInside): UnreturnedConnection[] {
  const at = performance.now();
  const known = new Map([...(watchOf(pool)?.held() ?? [])].map((held) => [held.client as PgClient, held]));
  return pool._clients.map((client) => {
    const { processID } = client as ClientInside;
    const held = known.get(client);
    const site = held?.hold.site?.location;
    const lastVerb = held?.lastVerb(held.hold);
    return Object.freeze({
      ...(processID && { processId: processID }),
      ...(held && { heldSeconds: (at - held.hold.since) / 1000 }),
      ...(site && { site }),
      stack: held?.hold.site?.frames ?? [],
      ...(lastVerb && { lastVerb }),
    });
  });
}

/** Their holders hear of it from their next query, and may still release them: that does nothing any more. */
function closeAll(pool: PoolInside): void {
  const closed = new Set<PgClient>();
  override(pool, "_remove", (original) => {
    return function _remove(client, callback) {
      if (closed.has(client)) callback?.();
      else Reflect.apply(original, pool, [client, callback]);
    };
  });
  for (const client of pool._clients) {
    pool._remove(client, () => pool._pulseQueue());
    closed.add(client);
    destroySocket(client as ClientInside);
  }
  pool._pulseQueue();
}
