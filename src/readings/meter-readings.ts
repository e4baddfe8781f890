import type { CollectionResult } from "@opentelemetry/sdk-metrics";
import { PoolscopeError } from "../errors.ts";
import {
  ATTR_ACTIVITY,
  ATTR_ERROR_TYPE,
  ATTR_REASON,
  ATTR_STATE,
  METRICS,
  STATE_IDLE,
  STATE_USED,
} from "../metrics/semconv.ts";
import type { Telemetry } from "../metrics/telemetry.ts";
import type { CloseReason } from "../watch/close-reason.ts";
import type { Activity } from "../watch/connection.ts";
import { DIAL_TIMEOUT, failureCause, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import { NO_STATE, type PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import { type Buckets, summarize } from "./distribution.ts";
import { MetricPoints } from "./metric-points.ts";
import type { ConnectFailures, PoolReading } from "./pool-reading.ts";

/** The cumulative buckets of one pool when it was last sampled. */
interface Baseline {
  readonly wait: Buckets;
  readonly use: Buckets;
  readonly create: Buckets;
  readonly reuse: Buckets;
  readonly query: Buckets;
}

/** Turns one collection of the meter into one reading per pool. Nobody looks at the pools themselves. */
export class MeterReadings {
  readonly #telemetry: Telemetry;
  readonly #registry: PoolRegistry;
  readonly #timeoutMillis: number;
  readonly #baselines = new Map<string, Baseline>();
  #collecting: Promise<CollectionResult> | undefined;

  constructor(telemetry: Telemetry, registry: PoolRegistry, timeoutMillis: number) {
    this.#telemetry = telemetry;
    this.#registry = registry;
    this.#timeoutMillis = timeoutMillis;
    // A new pool of an old name begins at zero.
    registry.onAdd(({ name }) => this.#baselines.delete(name));
  }

  /**
   * One fresh collection; calls that come while one is under way share it.
   *
   * @throws PoolscopeError `POOLSCOPE_READING_FAILED`: never an old number.
   */
  collect(): Promise<CollectionResult> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  /** One reading per watched pool, in the order they were watched. Durations count from the previous sample. */
  async read(): Promise<PoolReading[]> {
    return this.#readings(new MetricPoints((await this.collect()).resourceMetrics));
  }

  /** Like {@link read}; the durations of later readings count from here. */
  async sample(): Promise<PoolReading[]> {
    for (const pool of this.#registry.all()) pool.closePeakWindows();
    const points = new MetricPoints((await this.collect()).resourceMetrics);
    const readings = this.#readings(points);
    this.#baselines.clear();
    for (const { pool } of readings) this.#baselines.set(pool, baseline(points, pool));
    return readings;
  }

  async #collect(): Promise<CollectionResult> {
    try {
      return await withTimeout(this.#telemetry.collect(this.#timeoutMillis), this.#timeoutMillis);
    } catch (cause) {
      throw readingFailed(cause);
    }
  }

  #readings(points: MetricPoints): PoolReading[] {
    const timestamp = new Date().toISOString();
    return this.#registry
      .all()
      .filter(({ name }) => points.has(name))
      .map((pool) => {
        const seen = this.#telemetry.state(pool) ?? NO_STATE;
        return poolReading(points, pool.name, timestamp, seen, this.#baselines.get(pool.name));
      });
  }
}

function poolReading(
  points: MetricPoints,
  pool: string,
  timestamp: string,
  seen: PoolState,
  since: Baseline | undefined,
): PoolReading {
  const idle = points.value(pool, METRICS.count, ATTR_STATE, STATE_IDLE);
  const used = points.value(pool, METRICS.count, ATTR_STATE, STATE_USED);
  const connecting = points.value(pool, METRICS.connecting);
  const limit = points.value(pool, METRICS.limit);
  const poolSize = points.value(pool, METRICS.size);
  const waitTimeouts = points.value(pool, METRICS.timeouts, ATTR_ERROR_TYPE, WAIT_TIMEOUT);
  const dialTimeouts = points.value(pool, METRICS.timeouts, ATTR_ERROR_TYPE, DIAL_TIMEOUT);
  const closes = points.byAttribute(pool, METRICS.closes, ATTR_REASON);
  const held = (activity: Activity) => points.value(pool, METRICS.held, ATTR_ACTIVITY, activity);
  const failures = points.byAttribute(pool, METRICS.connectFailures, ATTR_ERROR_TYPE);
  return Object.freeze({
    pool,
    timestamp,
    poolSize,
    maxOverflow: limit - poolSize,
    limit,
    idleMin: points.value(pool, METRICS.idleMin),
    total: idle + used + connecting,
    idle,
    used,
    connecting,
    waiting: points.value(pool, METRICS.pendingRequests),
    overflow: points.value(pool, METRICS.overflow),
    capacity: limit,
    utilization: points.value(pool, METRICS.utilization),
    oldestWaitSeconds: points.value(pool, METRICS.oldestWait),
    waiterAgesSeconds: Object.freeze(seen.waiterAgesSeconds),
    stalledSeconds: points.value(pool, METRICS.stalled),
    held: Object.freeze({
      executing: held("executing"),
      idleInTransaction: held("idle_in_transaction"),
      idle: held("idle"),
    }),
    heldByWaiters: seen.heldByWaiters,
    suspects: Object.freeze(
      seen.suspects.map(({ heldSeconds, site }) => Object.freeze({ heldSeconds, ...(site && { site }) })),
    ),
    peakUsed: points.value(pool, METRICS.peakUsed),
    peakWaiting: points.value(pool, METRICS.peakPending),
    requests: points.value(pool, METRICS.requests),
    checkouts: points.value(pool, METRICS.checkouts),
    waits: points.value(pool, METRICS.waits),
    timeouts: waitTimeouts + dialTimeouts,
    waitTimeouts,
    dialTimeouts,
    connects: points.value(pool, METRICS.connects),
    connectFailures: total(failures),
    connectFailuresByCause: byCause(failures),
    ...(seen.dialFailing !== undefined && { connectFailing: failureCause(seen.dialFailing) }),
    connectFailingSeconds: seen.dialFailingSeconds,
    closes: total(closes),
    closesByReason: Object.freeze(Object.fromEntries(closes)) as Readonly<Record<CloseReason, number>>,
    leaks: points.value(pool, METRICS.leaks),
    releasedInTransaction: points.value(pool, METRICS.releasedInTransaction),
    shed: points.value(pool, METRICS.shed),
    shedding: seen.shedding,
    wait: summarize(points.buckets(pool, METRICS.waitTime), since?.wait),
    use: summarize(points.buckets(pool, METRICS.useTime), since?.use),
    create: summarize(points.buckets(pool, METRICS.createTime), since?.create),
    reuse: summarize(points.buckets(pool, METRICS.reuse), since?.reuse),
    ...(points.hasMetric(pool, METRICS.queryErrors) && queryReading(points, pool, since)),
  });
}

function queryReading(points: MetricPoints, pool: string, since: Baseline | undefined): Partial<PoolReading> {
  const errors = points.byAttribute(pool, METRICS.queryErrors, ATTR_ERROR_TYPE);
  return {
    query: summarize(points.buckets(pool, METRICS.queryDuration), since?.query),
    queryErrors: total(errors),
    queryErrorsByType: Object.freeze(Object.fromEntries(errors)),
    slowQueries: points.value(pool, METRICS.slowQueries),
  };
}

function total(counts: readonly [name: string, count: number][]): number {
  return counts.reduce((sum, [, count]) => sum + count, 0);
}

function byCause(failures: readonly [type: string, count: number][]): ConnectFailures {
  const causes = {
    dialTimeout: 0,
    refused: 0,
    unreachable: 0,
    authentication: 0,
    tooManyConnections: 0,
    other: 0,
  };
  for (const [type, count] of failures) causes[failureCause(type)] += count;
  return Object.freeze(causes);
}

function baseline(points: MetricPoints, pool: string): Baseline {
  return {
    wait: points.buckets(pool, METRICS.waitTime),
    use: points.buckets(pool, METRICS.useTime),
    create: points.buckets(pool, METRICS.createTime),
    reuse: points.buckets(pool, METRICS.reuse),
    query: points.buckets(pool, METRICS.queryDuration),
  };
}

/** The SDK's own timeout does not cover producers, nor a reader that hangs: this one covers everything. */
async function withTimeout<T>(promise: Promise<T>, timeoutMillis: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMillis} ms`)), timeoutMillis);
    timer.unref();
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function readingFailed(cause: unknown): PoolscopeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PoolscopeError("POOLSCOPE_READING_FAILED", `The meter could not be read: ${reason}`, { cause });
}
