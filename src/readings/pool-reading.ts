import type { CloseReason } from "../watch/close-reason.ts";

/** A histogram since the previous sample. Quantiles are absent while nothing was recorded. */
export interface DistributionSummary {
  readonly count: number;
  /** All together, in seconds where it is about time. */
  readonly sum: number;
  /** Within 5 % of the smallest value that half of all values do not exceed; never below or above all of them. */
  readonly p50?: number;
  readonly p95?: number;
  readonly p99?: number;
}

/** Failed attempts to open a connection since the watch began, by what a person can do about them. */
export interface ConnectFailures {
  readonly dialTimeout: number;
  readonly refused: number;
  /** DNS failures and unreachable hosts. */
  readonly unreachable: number;
  readonly authentication: number;
  readonly tooManyConnections: number;
  readonly other: number;
}

/** The used connections by what their holders do; together they are `used`. */
export interface HeldConnections {
  readonly executing: number;
  readonly idleInTransaction: number;
  readonly idle: number;
  /** Dead in their holders' hands: the server has ended the session, or the socket is gone. */
  readonly lost: number;
  /** Held for good on purpose, whatever is done with them: by LISTEN, `longHolds` or `scope.keep()`. */
  readonly kept: number;
}

/** A connection that has been held for `leakAfterMillis`. */
export interface LeakSuspect {
  readonly heldSeconds: number;
  /** Where it was asked for, like `src/reports.ts:41:23`. */
  readonly site?: string;
}

/** Pools whose connections are all held by callers that wait for another one of these pools. */
export interface PoolDeadlock {
  /** This pool, and the others of the cycle. */
  readonly pools: readonly string[];
  /** Since the last of the callers began to wait. */
  readonly seconds: number;
}

/**
 * One pool at one moment, as the exported metrics tell it. Frozen; history, health and alerts are made from nothing
 * else. Counts run from the beginning of the watch.
 */
export interface PoolReading {
  /** The name given to `watch()`, or found by it. */
  readonly pool: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Connections meant for ordinary load. */
  readonly poolSize: number;
  /** Connections the pool may open beyond `poolSize`: `limit − poolSize`. */
  readonly maxOverflow: number;
  /** The most connections the pool may open (`max`). */
  readonly limit: number;
  /** `min` of the pool. */
  readonly idleMin: number;
  /** Idle, used and connecting together. */
  readonly total: number;
  readonly idle: number;
  /** Handed out. A connection still being dialed is not. */
  readonly used: number;
  readonly connecting: number;
  /** Callers queued. */
  readonly waiting: number;
  /** Used beyond `poolSize`. */
  readonly overflow: number;
  /** `poolSize + maxOverflow`. */
  readonly capacity: number;
  /** `used / capacity`, 0 when the capacity is 0. */
  readonly utilization: number;
  /** 0 when nobody waits. */
  readonly oldestWaitSeconds: number;
  /**
   * How long each queued caller has been waiting, oldest first; the oldest hundred at most. Empty in samples of the
   * history.
   */
  readonly waiterAgesSeconds: readonly number[];
  /** How long callers have been kept waiting while nothing was handed out or returned. */
  readonly stalledSeconds: number;
  readonly held: HeldConnections;
  /** Used connections whose holders wait for another one of this pool; known with `nestedCheckouts: "warn"` only. */
  readonly heldByWaiters: number;
  /** Where all connections are held by callers that do nothing but wait; known with `nestedCheckouts: "warn"` only. */
  readonly deadlock?: PoolDeadlock;
  /** The connections reported as leaks and not returned. */
  readonly suspects: readonly LeakSuspect[];
  /** The connections held for `leakAfterMillis` that are at work. */
  readonly longRunning: readonly LeakSuspect[];
  /** Most at once: in a sample, since the sample before it; in a reading between two samples, one interval more. */
  readonly peakUsed: number;
  /** Most at once, like {@link peakUsed}. */
  readonly peakWaiting: number;
  /**
   * Requests for a connection: `checkouts`, callers that gave up or whose connection could not be opened, and those
   * queued.
   */
  readonly requests: number;
  readonly checkouts: number;
  /** Requests that found neither an idle connection nor room for one. */
  readonly waits: number;
  /** Callers that gave up, `waitTimeouts` and `dialTimeouts` together. */
  readonly timeouts: number;
  /** Callers that gave up waiting for a connection to become free. */
  readonly waitTimeouts: number;
  /** Callers that gave up because their connection took too long to open. */
  readonly dialTimeouts: number;
  readonly connects: number;
  /** Failed attempts to open a connection, all causes. */
  readonly connectFailures: number;
  readonly connectFailuresByCause: ConnectFailures;
  /** Why the last attempt to open a connection failed, if it did and that still matters. */
  readonly connectFailing?: keyof ConnectFailures;
  /** For how long connections could not be had: attempts failed, or hang, and none was handed out since; else 0. */
  readonly connectFailingSeconds: number;
  /** All reasons. */
  readonly closes: number;
  readonly closesByReason: Readonly<Record<CloseReason, number>>;
  /** Connections held, and not used, for longer than `leakAfterMillis`; returned later or not. */
  readonly leaks: number;
  readonly releasedInTransaction: number;
  /** HTTP requests that `shedLoad()` refused because too many callers waited for this pool. */
  readonly shed: number;
  /** Whether `shedLoad()` refuses requests because of this pool, or did in the last five seconds. */
  readonly shedding: boolean;
  readonly wait: DistributionSummary;
  readonly use: DistributionSummary;
  readonly create: DistributionSummary;
  /** How often the connections that were closed had been handed out. */
  readonly reuse: DistributionSummary;
  /** Queries, failed ones too. Absent, as the counts below, where queries are not measured. */
  readonly query?: DistributionSummary;
  readonly queryErrors?: number;
  /** By `error.type`: SQLSTATE, Node error code, `query_timeout`, `connection_lost`, or error class. */
  readonly queryErrorsByType?: Readonly<Record<string, number>>;
  /** Queries that took longer than `slowQueryMillis`. */
  readonly slowQueries?: number;
}
