import type { AwakeClock } from "./awake-clock.ts";
import type { Activity } from "./connection.ts";
import type { HeldConnection } from "./connections.ts";
import type { Deadlock } from "./deadlocks.ts";
import type { Peak } from "./peak.ts";
import type { HookablePool } from "./pg-types.ts";
import { countInQueue, gateOf } from "./recycled-pools.ts";
import type { Waiters } from "./waiters.ts";

/** What can be seen of a pool at one moment. Connections are split without overlap: total = idle + used + connecting. */
export interface PoolState {
  readonly total: number;
  readonly idle: number;
  readonly used: number;
  readonly connecting: number;
  readonly waiting: number;
  /** Oldest first; the oldest hundred at most. */
  readonly waiterAgesSeconds: readonly number[];
  readonly stalledSeconds: number;
  /** Used connections whose holders wait for another one of the same pool. Known only where nesting is looked for. */
  readonly heldByWaiters: number;
  /** All connections of these pools are held by flows that wait for another one of them. Known like `heldByWaiters`. */
  readonly deadlock?: { readonly pools: readonly string[]; readonly seconds: number };
  /** The used connections by what is done with them, those held for good apart; together they are `used`. */
  readonly held: Readonly<Record<Activity | "kept", number>>;
  readonly limit: number;
  readonly idleMin: number;
  readonly poolSize: number;
  readonly overflow: number;
  readonly utilization: number;
  /** Whether requests are shed to protect the pool. */
  readonly shedding: boolean;
  readonly peakUsed: number;
  readonly peakWaiting: number;
  /** `error.type` of the last attempt to open a connection, if that failed and still matters. */
  readonly dialFailing: string | undefined;
  /** For how long connections could not be had: dials fail, or hang, and none was handed out since. */
  readonly dialFailingSeconds: number;
  /** Reported as leaks and not returned. */
  readonly suspects: readonly LongHold[];
  /** Held for as long, and at work. */
  readonly longRunning: readonly LongHold[];
}

interface LongHold {
  readonly heldSeconds: number;
  /** Like `src/reports.ts:41:23`. */
  readonly site: string | undefined;
}

/** Of a pool that is not watched any more. */
export const NO_STATE: PoolState = {
  total: 0,
  idle: 0,
  used: 0,
  connecting: 0,
  waiting: 0,
  waiterAgesSeconds: [],
  stalledSeconds: 0,
  heldByWaiters: 0,
  held: { executing: 0, idle_in_transaction: 0, idle: 0, lost: 0, kept: 0 },
  limit: 0,
  idleMin: 0,
  poolSize: 0,
  overflow: 0,
  utilization: 0,
  shedding: false,
  peakUsed: 0,
  peakWaiting: 0,
  dialFailing: undefined,
  dialFailingSeconds: 0,
  suspects: [],
  longRunning: [],
};

/** Keeps requests away from one pool while too many wait for it. */
export interface LoadGuard {
  /** Whether it does so, as things are now. */
  look(): boolean;
  /** The pool is not watched any more. */
  end(): void;
}

/** What only the watch knows. */
export interface Known {
  readonly clock: AwakeClock;
  readonly connecting: number;
  readonly dialFailing: string | undefined;
  readonly dialFailingSeconds: number;
  readonly held: Iterable<HeldConnection>;
  /** Whether a connection is held for good, on purpose. */
  isKept(connection: HeldConnection): boolean;
  readonly waiters: Waiters;
  readonly heldByWaiters: number;
  readonly deadlock: Deadlock | undefined;
  readonly guards: Iterable<LoadGuard>;
  readonly peakUsed: Peak;
  readonly peakWaiting: Peak;
}

/** Callers that wait: in pg-pool's queue, and at the gate of a recycled pool. */
export function countWaiting(pool: HookablePool): number {
  return countQueued(pool) + (gateOf(pool)?.waiting ?? 0);
}

/** Callers in pg-pool's queue. For one tick it queues those it has an idle client for: they are not waiting. */
function countQueued(pool: HookablePool): number {
  return Math.max(0, countInQueue(pool) - pool.idleCount);
}

/** Read live: applications change it at run time. */
export function limitOf({ options }: HookablePool): number {
  return Number(options.max) || 0;
}

export function stateOf(pool: HookablePool, givenPoolSize: number | undefined, known: Known): PoolState {
  const { connecting, dialFailing, dialFailingSeconds, waiters, guards, peakUsed, peakWaiting } = known;
  const { deadlock } = known;
  const { totalCount: total, idleCount: idle, options } = pool;
  const at = performance.now();
  const used = total - idle - connecting;
  const gate = gateOf(pool);
  const queued = countQueued(pool);
  const waiting = queued + (gate?.waiting ?? 0);
  const limit = limitOf(pool);
  const idleMin = Number(options.min) || 0;
  const poolSize = Math.min(givenPoolSize ?? (idleMin > 0 ? idleMin : limit), limit);
  return {
    total,
    idle,
    used,
    connecting,
    waiting,
    waiterAgesSeconds: waiters.agesSeconds(queued, gate, at),
    stalledSeconds: waiters.stalledSeconds(gate, at, known.clock),
    heldByWaiters: known.heldByWaiters,
    ...(deadlock && {
      deadlock: { pools: deadlock.pools, seconds: known.clock.awakeMillis(deadlock.since, at) / 1000 },
    }),
    ...lookAtHolds(known, used, at),
    limit,
    idleMin,
    poolSize,
    overflow: Math.max(0, used - poolSize),
    utilization: limit > 0 ? used / limit : 0,
    shedding: areAnyShedding(guards),
    peakUsed: peakUsed.read(used),
    peakWaiting: peakWaiting.read(waiting),
    dialFailing,
    dialFailingSeconds,
  };
}

/** Looks at each: a guard that has nothing to shed any more says so when it is looked at. */
function areAnyShedding(guards: Iterable<LoadGuard>): boolean {
  let any = false;
  for (const guard of guards) any = guard.look() || any;
  return any;
}

function lookAtHolds(
  { held: connections, isKept }: Known,
  used: number,
  at: number,
): Pick<PoolState, "held" | "suspects" | "longRunning"> {
  const held = { executing: 0, idle_in_transaction: 0, lost: 0, kept: 0 };
  const suspects: LongHold[] = [];
  const longRunning: LongHold[] = [];
  for (const connection of connections) {
    const { activity, hold } = connection;
    if (activity !== "lost" && isKept(connection)) {
      held.kept++;
      continue;
    }
    if (activity !== "idle") held[activity]++;
    if (!hold.isSuspected && !hold.isLongRunning) continue;
    const list = hold.isSuspected ? suspects : longRunning;
    list.push({ heldSeconds: (at - hold.since) / 1000, site: hold.site?.location });
  }
  // What is used without a known hold (inside `verify`, say) is counted as idle: the parts make up the whole.
  const idle = Math.max(0, used - held.executing - held.idle_in_transaction - held.lost - held.kept);
  return { held: { ...held, idle }, suspects, longRunning };
}
