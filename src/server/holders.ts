import type { Activity, TransactionStatus } from "../watch/connection.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { isPooled, notePooler, POOLED } from "./pooler.ts";
import { type ServerActivity, serverActivity } from "./server-activity.ts";

/** One connection in somebody's hands. What is not known is absent. */
export interface Holder {
  readonly pool: string;
  /** For a hold older than the watch: since the watch began. */
  readonly heldSeconds: number;
  /** What it was asked for by: `connect()`, to be released by the application, or `pool.query`, which releases itself. */
  readonly via: "connect" | "query";
  /** Where it was asked for, like `src/reports.ts:41:23`; of `connect()` only. */
  readonly site?: string;
  /** The application's frames there, innermost first. */
  readonly stack: readonly string[];
  /** Why it is held for good: the label of `keep()`, `LISTEN`, or the entry of `longHolds` that its place matches. */
  readonly kept?: string;
  /** What the client says it is doing. */
  readonly activity: Activity;
  /** The protocol's status: `I` idle, `T` in a transaction, `E` in a failed one. */
  readonly transactionStatus?: TransactionStatus;
  /** The statement finished last, like `SELECT`; where queries are measured. */
  readonly lastVerb?: string;
  /** `pid` of `pg_stat_activity`. Absent behind a connection pooler, where it is not known, and with `pg.native`. */
  readonly processId?: number;
  /** What the server says, with `joinServer: true` and where it knows the process. */
  readonly server?: ServerActivity;
  /** Why `server` is absent, with `joinServer: true`. */
  readonly serverUnknown?: string;
}

/** Who holds the pool's connections now, longest first. */
export function holdersOf(pool: WatchedPool): Holder[] {
  const at = performance.now();
  const held = [...pool.held()];
  for (const { client } of held) notePooler(pool.target, client.processID);
  const showsProcesses = !isPooled(pool.target);
  const holders = held.map((connection): Holder => {
    const { hold, activity, transactionStatus, processId } = connection;
    const lastVerb = connection.lastVerb(hold);
    const site = hold.site?.location;
    const kept = pool.keptAs(connection);
    return {
      pool: pool.name,
      heldSeconds: (at - hold.since) / 1000,
      via: hold.isExplicit || !hold.isExact ? "connect" : "query",
      ...(site && { site }),
      stack: hold.site?.frames ?? [],
      ...(kept !== undefined && { kept }),
      activity,
      ...(transactionStatus && { transactionStatus }),
      ...(lastVerb && { lastVerb }),
      ...(showsProcesses && processId && { processId }),
    };
  });
  return holders.sort((one, other) => other.heldSeconds - one.heldSeconds);
}

/**
 * Adds what the server says of each holder's backend, or why that is not known. Rejects when the server cannot be asked.
 * Behind a connection pooler it is not asked.
 */
export async function joinServer(
  pool: WatchedPool,
  holders: Holder[],
  timeoutMillis: number,
): Promise<Holder[]> {
  const processIds = holders.flatMap(({ processId }) => processId ?? []);
  const known = await serverActivity(pool.target, processIds, timeoutMillis);
  if (isPooled(pool.target)) {
    return holders.map(({ processId: _random, ...holder }) => ({ ...holder, serverUnknown: POOLED }));
  }
  return holders.map((holder) => {
    if (holder.processId === undefined) return { ...holder, serverUnknown: NO_PROCESS_ID };
    const server = known.get(holder.processId);
    return server ? { ...holder, server } : { ...holder, serverUnknown: NO_PROCESS };
  });
}

const NO_PROCESS_ID = "the client does not show the process id of its connection";
const NO_PROCESS =
  "the server has no process with this id: the connection has ended, or leads to another server than poolscope's own";
