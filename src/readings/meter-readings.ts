import { PoolscopeError } from "../errors.ts";
import type { HistogramWindows } from "../metrics/histogram-windows.ts";
import { STATE_IDLE, STATE_USED } from "../metrics/semconv.ts";
import type { PoolMetrics, Telemetry } from "../metrics/telemetry.ts";
import type { CloseReason } from "../watch/close-reason.ts";
import { DIAL_TIMEOUT, failureCause, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import { summarize } from "./distribution.ts";
import type { ConnectFailures, LeakSuspect, PoolReading } from "./pool-reading.ts";

/** Turns what the exported metrics say into one reading per pool. Nobody looks at the pools themselves. */
export class MeterReadings {
  readonly #telemetry: Telemetry;
  readonly #registry: PoolRegistry;
  #reading: Promise<PoolReading[]> | undefined;

  constructor(telemetry: Telemetry, registry: PoolRegistry) {
    this.#telemetry = telemetry;
    this.#registry = registry;
  }

  /**
   * One reading per watched pool, in the order they were watched; calls that come while one is under way share it. Durations
   * count from the previous sample.
   *
   * @throws PoolscopeError `POOLSCOPE_READING_FAILED`: never an old number.
   */
  read(): Promise<PoolReading[]> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  #read(): Promise<PoolReading[]> {
    const timestamp = new Date().toISOString();
    return orReadingFailed(
      this.#telemetry.look(({ name, counts }, metrics) =>
        poolReading(name, timestamp, metrics, counts.recorders.windows),
      ),
    );
  }

  /** Like {@link read}; the durations of later readings count from here. */
  async sample(): Promise<PoolReading[]> {
    for (const pool of this.#registry.all()) pool.closePeakWindows();
    const timestamp = new Date().toISOString();
    return orReadingFailed(
      this.#telemetry.look(({ name, counts }, metrics) => {
        const { windows } = counts.recorders;
        const reading = poolReading(name, timestamp, metrics, windows);
        windows.clear();
        return reading;
      }),
    );
  }

  /** @throws PoolscopeError `POOLSCOPE_READING_FAILED` */
  prometheusText(): Promise<Iterable<Buffer>> {
    return orReadingFailed(this.#telemetry.prometheusText());
  }
}

function poolReading(
  pool: string,
  timestamp: string,
  metrics: PoolMetrics,
  windows: HistogramWindows,
): PoolReading {
  const { state: seen } = metrics;
  const idle = metrics.value("count", STATE_IDLE);
  const used = metrics.value("count", STATE_USED);
  const connecting = metrics.value("connecting");
  const limit = metrics.value("limit");
  const poolSize = metrics.value("size");
  const waitTimeouts = metrics.value("timeouts", WAIT_TIMEOUT);
  const dialTimeouts = metrics.value("timeouts", DIAL_TIMEOUT);
  const closes = metrics.byLabel("closes");
  const failures = metrics.byLabel("connectFailures");
  return Object.freeze({
    pool,
    timestamp,
    poolSize,
    maxOverflow: limit - poolSize,
    limit,
    idleMin: metrics.value("idleMin"),
    total: idle + used + connecting,
    idle,
    used,
    connecting,
    waiting: metrics.value("pendingRequests"),
    overflow: metrics.value("overflow"),
    capacity: limit,
    utilization: metrics.value("utilization"),
    oldestWaitSeconds: metrics.value("oldestWait"),
    waiterAgesSeconds: Object.freeze(seen.waiterAgesSeconds),
    stalledSeconds: metrics.value("stalled"),
    held: Object.freeze({
      executing: metrics.value("held", "executing"),
      idleInTransaction: metrics.value("held", "idle_in_transaction"),
      idle: metrics.value("held", "idle"),
      lost: metrics.value("held", "lost"),
      kept: metrics.value("held", "kept"),
    }),
    heldByWaiters: seen.heldByWaiters,
    ...(seen.deadlock && {
      deadlock: Object.freeze({ ...seen.deadlock, pools: Object.freeze(seen.deadlock.pools) }),
    }),
    suspects: longHolds(seen.suspects),
    longRunning: longHolds(seen.longRunning),
    peakUsed: metrics.value("peakUsed"),
    peakWaiting: metrics.value("peakPending"),
    requests: metrics.value("requests"),
    checkouts: metrics.value("checkouts"),
    waits: metrics.value("waits"),
    timeouts: waitTimeouts + dialTimeouts,
    waitTimeouts,
    dialTimeouts,
    connects: metrics.value("connects"),
    connectFailures: total(failures),
    connectFailuresByCause: byCause(failures),
    ...(seen.dialFailing !== undefined && { connectFailing: failureCause(seen.dialFailing) }),
    connectFailingSeconds: seen.dialFailingSeconds,
    closes: total(closes),
    closesByReason: Object.freeze(Object.fromEntries(closes)) as Readonly<Record<CloseReason, number>>,
    leaks: metrics.value("leaks"),
    releasedInTransaction: metrics.value("releasedInTransaction"),
    shed: metrics.value("shed"),
    shedding: seen.shedding,
    wait: summarize(windows.wait),
    use: summarize(windows.use),
    create: summarize(windows.create),
    reuse: summarize(windows.reuse, Math.floor),
    ...(metrics.has("queryErrors") && queryReading(metrics, windows)),
  });
}

/** Shared: most readings have none, and the history keeps them. */
const NONE: readonly LeakSuspect[] = Object.freeze([]);

function longHolds(holds: PoolMetrics["state"]["suspects"]): readonly LeakSuspect[] {
  if (holds.length === 0) return NONE;
  return Object.freeze(
    holds.map(({ heldSeconds, site }) => Object.freeze({ heldSeconds, ...(site && { site }) })),
  );
}

function queryReading(metrics: PoolMetrics, windows: HistogramWindows): Partial<PoolReading> {
  const errors = metrics.byLabel("queryErrors");
  return {
    query: summarize(windows.query),
    queryErrors: total(errors),
    queryErrorsByType: Object.freeze(Object.fromEntries(errors)),
    slowQueries: metrics.value("slowQueries"),
  };
}

type LabelledCounts = ReturnType<PoolMetrics["byLabel"]>;

function total(counts: LabelledCounts): number {
  let sum = 0;
  for (const [, count] of counts) sum += count;
  return sum;
}

function byCause(failures: LabelledCounts): ConnectFailures {
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

async function orReadingFailed<T>(told: Promise<T>): Promise<T> {
  try {
    return await told;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PoolscopeError("POOLSCOPE_READING_FAILED", `The meter could not be read: ${reason}`, { cause });
  }
}
