import { isBackendPid } from "../pg/backend-pid.ts";

/** A pool's `options` stand for it. */
interface Target {
  readonly options: object;
}

/** Why nothing is known of a holder's server process there. */
export const POOLED =
  "the process id of the connection is not that of a server process, as behind a connection pooler: which process serves it is not known";

/** How long the pooler may take to answer on an own connection: when it is full, that one queues with the application's. */
export const POOLED_MILLIS = 1_000;

/** By the options of their pools: targets of which a client showed that a connection pooler stands before the server. */
const pooled = new WeakSet<object>();

export function isPooled({ options }: Target): boolean {
  return pooled.has(options);
}

/**
 * Notes what a connected client shows of a pooler: a process id that no server process has, or not that of the process
 * that answered.
 *
 * @param processId `processID` of the client; other classes than pg's, and `pg.native`, do not have it
 * @param backendPid What `pg_backend_pid()` answered, where it was asked
 * @returns Whether there is a pooler, as far as is known
 */
export function notePooler(target: Target, processId: unknown, backendPid?: number): boolean {
  const isNumber = typeof processId === "number";
  const differs = isNumber && isBackendPid(backendPid) && processId !== backendPid;
  if (differs || (isNumber && !isBackendPid(processId))) pooled.add(target.options);
  return isPooled(target);
}

/** Targets of which a question waits in the queue of the pooler. */
const queued = new WeakSet<object>();

export function isQueued({ options }: Target): boolean {
  return queued.has(options);
}

/** @returns Call when the question has left the queue */
export function enqueue({ options }: Target): () => void {
  queued.add(options);
  return () => queued.delete(options);
}

/** A pooler that took the login did not let the question through to a server in time. */
export class PoolerBusy extends Error {}
