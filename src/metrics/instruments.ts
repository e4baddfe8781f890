import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import { NO_STATE, type PoolState } from "../watch/pool-state.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { PoolAttributes, sayNumbers } from "./pool-numbers.ts";
import { METRICS, type MetricSpec, type ObservableName } from "./semconv.ts";

/**
 * The observable instruments of the application's provider, and the one batch callback that reads every pool when
 * somebody collects. The callback is synchronous and reads state: there are no deltas that could drift.
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
    for (const { pool, isOver } of this.#tracked.visit()) {
      // Under cumulative temporality the SDK exports the last value for ever: let it be the truth.
      const state = isOver ? NO_STATE : pool.state();
      this.states.set(pool, state);
      const attributes = getOrCreate(this.#attributes, pool, () => new PoolAttributes(pool.attributes));
      sayNumbers(pool, state, (metric, value, label) => {
        result.observe(this.#instruments[metric], value, attributes.of(metric, label));
      });
    }
    this.observations++;
  }
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
