import type { SizeAdvice } from "../advice/size-advice.ts";
import type { Alert } from "../alerts/alert.ts";
import type { SlowQueryGroup } from "../queries/slow-groups.ts";
import type { DistributionSummary } from "../readings/pool-reading.ts";
import { type AssessedReading, type PoolStatus, worst } from "./assess.ts";
import type { Condition } from "./diagnose.ts";
import type { Usage } from "./history-text.ts";
import { percent } from "./percent.ts";

/** What health pages are made of. */
export interface DatabaseSource {
  /** Rejects when the meter cannot be read. */
  read(): Promise<AssessedReading[]>;
  /** How full a pool was at its last samples, oldest first. */
  usage(pool: string, limit: number): readonly Usage[];
  slowQueries(pool: string, limit: number): SlowQueryGroup[];
  /** What fires. */
  alerts(pool: string): Alert[];
}

/** What a page shows. */
export interface HealthView {
  /** Samples of `recent_history`. */
  readonly historyLimit: number;
  readonly showsDetails: boolean;
  /** Of probes: what each pool is doing, too. */
  readonly isVerbose: boolean;
}

const SLOWEST = 5;

export interface HistoryEntry {
  readonly checkedout: number;
  readonly usage_percent: number;
  readonly timestamp: string;
}

/** The fields that one pool and all pools together share. */
export interface PoolNumbers {
  readonly status: PoolStatus;
  readonly pool_size: number;
  readonly max_overflow: number;
  readonly available: number;
  readonly in_use: number;
  readonly overflow_active: number;
  readonly total_capacity: number;
  readonly usage_percent: number;
  readonly timestamp: string;
  readonly recent_history: readonly HistoryEntry[];
}

export interface PoolHealth extends PoolNumbers {
  readonly name: string;
  /** What is the matter with the pool, if anything. */
  readonly condition: Condition;
  readonly verdict: string;
  /** What fires. */
  readonly alerts: readonly PoolAlert[];
  readonly connecting: number;
  readonly pending: number;
  readonly oldest_wait_seconds: number;
  readonly peak_in_use: number;
  readonly peak_pending: number;
  readonly requests: number;
  readonly checkouts: number;
  readonly waits: number;
  readonly timeouts: { readonly wait: number; readonly dial: number };
  readonly connects: number;
  readonly connect_failures: Readonly<Record<string, number>>;
  readonly closes: number;
  readonly closes_by_reason: Readonly<Record<string, number>>;
  readonly held: {
    readonly executing: number;
    readonly idle_in_transaction: number;
    readonly idle: number;
    readonly lost: number;
    readonly kept: number;
  };
  readonly leaks: number;
  readonly leaks_suspected: number;
  readonly long_running: number;
  readonly released_in_transaction: number;
  /** HTTP requests refused because of this pool, and whether that goes on. */
  readonly shed: number;
  readonly shedding: boolean;
  readonly wait_seconds: DistributionSummary;
  readonly use_seconds: DistributionSummary;
  readonly create_seconds: DistributionSummary;
  /** Absent until enough was seen. */
  readonly advice?: SizeAdviceEntry;
  /** Absent, as what follows, where queries are not measured. */
  readonly query_seconds?: DistributionSummary;
  readonly query_errors?: Readonly<Record<string, number>>;
  readonly slow_queries?: number;
  /** The worst of the last minutes. Only where details are allowed. */
  readonly slowest_queries?: readonly SlowQueryEntry[];
}

/** How large a pool would have to be for what is asked of it. */
export interface SizeAdviceEntry {
  readonly window_seconds: number;
  readonly requests_per_second: number;
  readonly mean_hold_seconds: number;
  readonly offered_load: number;
  readonly target_wait_seconds: number;
  readonly recommended_size: number;
  readonly max_requests_per_second: number;
  readonly is_lower_bound: boolean;
}
/** An alert that fires, see docs/alerts.md. */
export type PoolAlert = Pick<Alert, "rule" | "severity" | "since" | "summary">;

/** Slow queries that differ only in their literals. */
export interface SlowQueryEntry {
  readonly fingerprint: string;
  readonly sql: string;
  readonly operation?: string;
  readonly count: number;
  readonly p50_seconds: number;
  readonly p95_seconds: number;
  readonly max_seconds: number;
}

export interface DatabaseHealth extends PoolNumbers {
  readonly pools: readonly PoolHealth[];
}

/** Nothing is known: said with a reason, never with numbers. */
export interface UnknownHealth {
  readonly status: "unknown";
  readonly message: string;
  readonly timestamp: string;
  readonly pools: readonly [];
}

/** Of one pool, without what is different from page to page. */
export type PoolSummary = Omit<PoolHealth, "recent_history" | "slowest_queries">;

export function poolSummary(reading: AssessedReading, alerts: readonly Alert[]): PoolSummary {
  return {
    name: reading.pool,
    status: reading.status,
    condition: reading.condition,
    verdict: reading.verdict,
    alerts: alerts.map(({ rule, severity, since, summary }) => ({ rule, severity, since, summary })),
    pool_size: reading.poolSize,
    max_overflow: reading.maxOverflow,
    available: reading.idle,
    in_use: reading.used,
    overflow_active: reading.overflow,
    total_capacity: reading.capacity,
    usage_percent: percent(reading.used, reading.capacity),
    connecting: reading.connecting,
    pending: reading.waiting,
    oldest_wait_seconds: micro(reading.oldestWaitSeconds),
    peak_in_use: reading.peakUsed,
    peak_pending: reading.peakWaiting,
    requests: reading.requests,
    checkouts: reading.checkouts,
    waits: reading.waits,
    timeouts: { wait: reading.waitTimeouts, dial: reading.dialTimeouts },
    connects: reading.connects,
    connect_failures: connectFailures(reading),
    closes: reading.closes,
    closes_by_reason: reading.closesByReason,
    held: {
      executing: reading.held.executing,
      idle_in_transaction: reading.held.idleInTransaction,
      idle: reading.held.idle,
      lost: reading.held.lost,
      kept: reading.held.kept,
    },
    leaks: reading.leaks,
    leaks_suspected: reading.suspects.length,
    long_running: reading.longRunning.length,
    released_in_transaction: reading.releasedInTransaction,
    shed: reading.shed,
    shedding: reading.shedding,
    wait_seconds: rounded(reading.wait),
    use_seconds: rounded(reading.use),
    create_seconds: rounded(reading.create),
    ...(reading.advice && { advice: advice(reading.advice) }),
    ...(reading.query && { query_seconds: rounded(reading.query) }),
    ...(reading.queryErrorsByType && { query_errors: reading.queryErrorsByType }),
    ...(reading.slowQueries !== undefined && { slow_queries: reading.slowQueries }),
    timestamp: reading.timestamp,
  };
}

function connectFailures({ connectFailuresByCause: by }: AssessedReading): PoolHealth["connect_failures"] {
  return {
    dial_timeout: by.dialTimeout,
    refused: by.refused,
    unreachable: by.unreachable,
    authentication: by.authentication,
    too_many_connections: by.tooManyConnections,
    other: by.other,
  };
}

function advice(given: SizeAdvice): SizeAdviceEntry {
  return {
    window_seconds: Math.round(given.windowSeconds),
    requests_per_second: micro(given.requestsPerSecond),
    mean_hold_seconds: micro(given.meanHoldSeconds),
    offered_load: micro(given.offeredLoad),
    target_wait_seconds: given.targetWaitMillis / 1000,
    recommended_size: given.recommendedSize,
    max_requests_per_second: micro(given.maxRequestsPerSecond),
    is_lower_bound: given.isLowerBound,
  };
}

export function slowest(source: DatabaseSource, pool: string): SlowQueryEntry[] {
  return source.slowQueries(pool, SLOWEST).map((group) => ({
    fingerprint: group.fingerprint,
    sql: group.sql,
    ...(group.operation !== undefined && { operation: group.operation }),
    count: group.count,
    p50_seconds: micro(group.p50Seconds),
    p95_seconds: micro(group.p95Seconds),
    max_seconds: micro(group.maxSeconds),
  }));
}

/** Sums over all pools, and the worst status. */
export function together(pools: readonly PoolSummary[]): Omit<PoolNumbers, "recent_history"> {
  const sum = (pick: (pool: PoolSummary) => number) => pools.reduce((total, pool) => total + pick(pool), 0);
  const used = sum((pool) => pool.in_use);
  const capacity = sum((pool) => pool.total_capacity);
  return {
    status: worst(pools.map(({ status }) => status)),
    pool_size: sum((pool) => pool.pool_size),
    max_overflow: sum((pool) => pool.max_overflow),
    available: sum((pool) => pool.available),
    in_use: used,
    overflow_active: sum((pool) => pool.overflow_active),
    total_capacity: capacity,
    usage_percent: percent(used, capacity),
    timestamp: pools[0]?.timestamp ?? new Date().toISOString(),
  };
}

/** To the microsecond: what is beyond it is floating-point noise. */
function micro(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

function rounded({ count, sum, p50, p95, p99 }: DistributionSummary): DistributionSummary {
  return {
    count,
    sum: micro(sum),
    ...(p50 !== undefined && { p50: micro(p50) }),
    ...(p95 !== undefined && { p95: micro(p95) }),
    ...(p99 !== undefined && { p99: micro(p99) }),
  };
}
