import type { Attributes, BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import { DIAL_TIMEOUT, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import { NO_STATE, type PoolState } from "../watch/pool-state.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import {
  ATTR_ACTIVITY,
  ATTR_ERROR_TYPE,
  ATTR_REASON,
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
  /** What the pools were seen doing at the last observation: what a reading tells beyond numbers. */
  readonly states: WeakMap<WatchedPool, PoolState> = new WeakMap();

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
      const state = last ? NO_STATE : pool.state();
      this.states.set(pool, state);
      this.#observeState(result, pool, state);
      this.#observeCounts(result, pool);
    }
    this.observations++;
  }

  #observeState(result: BatchObservableResult, pool: WatchedPool, state: PoolState): void {
    const { base, idle, used, byActivity } = this.#attributesOf(pool);
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
    result.observe(to.oldestWait, state.waiterAgesSeconds[0] ?? 0, base);
    result.observe(to.totalWait, sum(state.waiterAgesSeconds), base);
    result.observe(to.stalled, state.stalledSeconds, base);
    for (const [activity, count] of Object.entries(state.held)) {
      result.observe(to.held, count, byActivity(activity));
    }
    result.observe(to.leaked, state.suspects.length, base);
    result.observe(to.peakUsed, state.peakUsed, base);
    result.observe(to.peakPending, state.peakWaiting, base);
  }

  #observeCounts(result: BatchObservableResult, pool: WatchedPool): void {
    const { base, byErrorType, byReason } = this.#attributesOf(pool);
    const to = this.#instruments;
    result.observe(to.requests, pool.requests, base);
    result.observe(to.checkouts, pool.checkouts, base);
    result.observe(to.waits, pool.waits, base);
    result.observe(to.timeouts, pool.waitTimeouts, byErrorType(WAIT_TIMEOUT));
    result.observe(to.timeouts, pool.dialTimeouts, byErrorType(DIAL_TIMEOUT));
    result.observe(to.connects, pool.connects, base);
    for (const [type, count] of pool.connectFailures) {
      result.observe(to.connectFailures, count, byErrorType(type));
    }
    for (const [reason, count] of pool.closes) result.observe(to.closes, count, byReason(reason));
    result.observe(to.leaks, pool.leaks, base);
    result.observe(to.releasedInTransaction, pool.releasedInTransaction, base);
    result.observe(to.shed, pool.shed, base);
    if (!pool.queries) return;
    for (const [type, count] of pool.queries.errors) result.observe(to.queryErrors, count, byErrorType(type));
    result.observe(to.slowQueries, pool.queries.slow, base);
    result.observe(to.pings, pool.recycling.pings, base);
    result.observe(to.pingFailures, pool.recycling.pingFailures, base);
    result.observe(to.rejected, pool.recycling.rejected, base);
  }

  #attributesOf(pool: WatchedPool): PoolAttributes {
    return getOrCreate(this.#attributes, pool, () => poolAttributes(pool.attributes));
  }
}

/** The attribute objects of one pool, made once: the SDK sees the same ones at every collection. */
interface PoolAttributes {
  readonly base: Attributes;
  readonly idle: Attributes;
  readonly used: Attributes;
  byErrorType(type: string): Attributes;
  byActivity(activity: string): Attributes;
  byReason(reason: string): Attributes;
}

function poolAttributes(base: Attributes): PoolAttributes {
  const by = (key: string) => {
    const made = new Map<string, Attributes>();
    return (value: string) => getOrCreate(made, value, () => ({ ...base, [key]: value }));
  };
  return {
    base,
    idle: { ...base, [ATTR_STATE]: STATE_IDLE },
    used: { ...base, [ATTR_STATE]: STATE_USED },
    byErrorType: by(ATTR_ERROR_TYPE),
    byActivity: by(ATTR_ACTIVITY),
    byReason: by(ATTR_REASON),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function createObservables(meter: Meter): Record<ObservableName, Observable> {
  const entries = Object.entries(METRICS)
    .filter(([, spec]) => spec.kind !== "histogram")
    .map(([key, spec]) => [key, createObservable(meter, spec)]);
  return Object.fromEntries(entries) as Record<ObservableName, Observable>;
}

export function createObservable(meter: Meter, { name, kind, unit, description }: MetricSpec): Observable {
  if (kind === "counter") return meter.createObservableCounter(name, { unit, description });
  if (kind === "upDownCounter") return meter.createObservableUpDownCounter(name, { unit, description });
  return meter.createObservableGauge(name, { unit, description });
}
