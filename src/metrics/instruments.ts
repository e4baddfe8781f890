import type { Attributes, BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import { DIAL_TIMEOUT, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { PoolState, WatchedPool } from "../watch/watched-pool.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_STATE,
  METRICS,
  type MetricSpec,
  type ObservableName,
  STATE_IDLE,
  STATE_USED,
} from "./semconv.ts";

/**
 * The observable instruments and the one batch callback that reads every pool when somebody collects. The callback is
 * synchronous and reads state: there are no deltas that could drift.
 */
export class PoolInstruments {
  /** Grows by one each time the callback has run to its end. Tells a fresh collection from a stale one. */
  observations = 0;

  readonly #instruments: Record<ObservableName, Observable>;
  readonly #tracked: Tracked;
  readonly #attributes = new WeakMap<WatchedPool, PoolAttributes>();
  readonly #remove: () => void;

  constructor(meter: Meter, registry: PoolRegistry) {
    this.#instruments = createObservables(meter);
    this.#tracked = new Tracked(registry);
    const observables = Object.values(this.#instruments);
    const callback = (result: BatchObservableResult) => this.#observe(result);
    meter.addBatchObservableCallback(callback, observables);
    this.#remove = () => meter.removeBatchObservableCallback(callback, observables);
  }

  remove(): void {
    this.#remove();
  }

  #observe(result: BatchObservableResult): void {
    for (const { pool, last } of this.#tracked.visit()) {
      // Under cumulative temporality the SDK exports the last value for ever: let it be the truth, which is zero.
      this.#observeState(result, pool, last ? NOTHING : pool.state());
      this.#observeCounts(result, pool);
    }
    this.observations++;
  }

  #observeState(result: BatchObservableResult, pool: WatchedPool, state: PoolState): void {
    const { base, idle, used } = this.#attributesOf(pool);
    const to = this.#instruments;
    result.observe(to.count, state.idle, idle);
    result.observe(to.count, state.used, used);
    result.observe(to.limit, state.limit, base);
    result.observe(to.idleMin, state.idleMin, base);
    result.observe(to.idleMax, state.limit, base);
    result.observe(to.pendingRequests, state.waiting, base);
    result.observe(to.size, state.poolSize, base);
    result.observe(to.overflow, state.overflow, base);
    result.observe(to.checkedOut, state.used, base);
    result.observe(to.utilization, state.utilization, base);
    result.observe(to.connecting, state.connecting, base);
    result.observe(to.oldestWait, state.oldestWaitSeconds, base);
    result.observe(to.peakUsed, state.peakUsed, base);
    result.observe(to.peakPending, state.peakWaiting, base);
  }

  #observeCounts(result: BatchObservableResult, pool: WatchedPool): void {
    const { base, byErrorType } = this.#attributesOf(pool);
    const to = this.#instruments;
    result.observe(to.checkouts, pool.checkouts, base);
    result.observe(to.waits, pool.waits, base);
    result.observe(to.timeouts, pool.waitTimeouts, byErrorType(WAIT_TIMEOUT));
    result.observe(to.timeouts, pool.dialTimeouts, byErrorType(DIAL_TIMEOUT));
    result.observe(to.connects, pool.connects, base);
    for (const [type, count] of pool.connectFailures) {
      result.observe(to.connectFailures, count, byErrorType(type));
    }
    result.observe(to.closes, pool.closes, base);
  }

  #attributesOf(pool: WatchedPool): PoolAttributes {
    return getOrCreate(this.#attributes, pool, () => poolAttributes(pool.attributes));
  }
}

interface PoolAttributes {
  readonly base: Attributes;
  readonly idle: Attributes;
  readonly used: Attributes;
  byErrorType(type: string): Attributes;
}

function poolAttributes(base: Attributes): PoolAttributes {
  const byType = new Map<string, Attributes>();
  return {
    base,
    idle: { ...base, [ATTR_STATE]: STATE_IDLE },
    used: { ...base, [ATTR_STATE]: STATE_USED },
    byErrorType: (type) => getOrCreate(byType, type, () => ({ ...base, [ATTR_ERROR_TYPE]: type })),
  };
}

const NOTHING: PoolState = {
  total: 0,
  idle: 0,
  used: 0,
  connecting: 0,
  waiting: 0,
  oldestWaitSeconds: 0,
  limit: 0,
  idleMin: 0,
  poolSize: 0,
  overflow: 0,
  utilization: 0,
  peakUsed: 0,
  peakWaiting: 0,
};

function createObservables(meter: Meter): Record<ObservableName, Observable> {
  const create = ({ name, kind, unit, description }: MetricSpec): Observable => {
    if (kind === "counter") return meter.createObservableCounter(name, { unit, description });
    if (kind === "upDownCounter") return meter.createObservableUpDownCounter(name, { unit, description });
    return meter.createObservableGauge(name, { unit, description });
  };
  const entries = Object.entries(METRICS)
    .filter(([, spec]) => spec.kind !== "histogram")
    .map(([key, spec]) => [key, create(spec)]);
  return Object.fromEntries(entries) as Record<ObservableName, Observable>;
}
