import type { CollectionResult } from "@opentelemetry/sdk-metrics";
import { PoolscopeError } from "../errors.ts";
import { ATTR_ERROR_TYPE, ATTR_STATE, METRICS, STATE_IDLE, STATE_USED } from "../metrics/semconv.ts";
import type { Telemetry } from "../metrics/telemetry.ts";
import { DIAL_TIMEOUT, failureCause, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import { type Buckets, summarize } from "./duration-summary.ts";
import { MetricPoints } from "./metric-points.ts";
import type { ConnectFailures, PoolReading } from "./pool-reading.ts";

/** The cumulative buckets of one pool when it was last sampled. */
interface Baseline {
  readonly wait: Buckets;
  readonly use: Buckets;
  readonly create: Buckets;
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
    const before = this.#telemetry.observations;
    let result: CollectionResult;
    try {
      result = await withTimeout(this.#telemetry.collect(this.#timeoutMillis), this.#timeoutMillis);
    } catch (cause) {
      throw readingFailed(cause);
    }
    if (!this.#telemetry.isFresh(result, before)) throw readingFailed(result.errors[0]);
    return result;
  }

  #readings(points: MetricPoints): PoolReading[] {
    const timestamp = new Date().toISOString();
    return this.#registry
      .all()
      .filter(({ name }) => points.has(name))
      .map(({ name }) => poolReading(points, name, timestamp, this.#baselines.get(name)));
  }
}

function poolReading(
  points: MetricPoints,
  pool: string,
  timestamp: string,
  since: Baseline | undefined,
): PoolReading {
  const idle = points.value(pool, METRICS.count, ATTR_STATE, STATE_IDLE);
  const used = points.value(pool, METRICS.count, ATTR_STATE, STATE_USED);
  const connecting = points.value(pool, METRICS.connecting);
  const limit = points.value(pool, METRICS.limit);
  const poolSize = points.value(pool, METRICS.size);
  const waitTimeouts = points.value(pool, METRICS.timeouts, ATTR_ERROR_TYPE, WAIT_TIMEOUT);
  const dialTimeouts = points.value(pool, METRICS.timeouts, ATTR_ERROR_TYPE, DIAL_TIMEOUT);
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
    peakUsed: points.value(pool, METRICS.peakUsed),
    peakWaiting: points.value(pool, METRICS.peakPending),
    checkouts: points.value(pool, METRICS.checkouts),
    waits: points.value(pool, METRICS.waits),
    timeouts: waitTimeouts + dialTimeouts,
    waitTimeouts,
    dialTimeouts,
    connects: points.value(pool, METRICS.connects),
    connectFailures: failures.reduce((total, [, count]) => total + count, 0),
    connectFailuresByCause: byCause(failures),
    closes: points.value(pool, METRICS.closes),
    wait: summarize(points.buckets(pool, METRICS.waitTime), since?.wait),
    use: summarize(points.buckets(pool, METRICS.useTime), since?.use),
    create: summarize(points.buckets(pool, METRICS.createTime), since?.create),
  });
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
  const reason = cause instanceof Error ? cause.message : "the collection was not complete";
  return new PoolscopeError("POOLSCOPE_READING_FAILED", `The meter could not be read: ${reason}`, { cause });
}
