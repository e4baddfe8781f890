import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { PoolState } from "../watch/pool-state.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { OBSERVABLES, PoolLooks } from "./pool-looks.ts";
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
  readonly #looks: PoolLooks;
  readonly #remove: () => void;

  constructor(meter: Meter, registry: PoolRegistry) {
    this.#instruments = createObservables(meter);
    this.#looks = new PoolLooks(registry);
    const observables = Object.values(this.#instruments);
    const callback = (result: BatchObservableResult) => this.#observe(result);
    meter.addBatchObservableCallback(callback, observables);
    this.#remove = () => meter.removeBatchObservableCallback(callback, observables);
  }

  remove(): void {
    this.#remove();
  }

  #observe(result: BatchObservableResult): void {
    // Under cumulative temporality the SDK exports the last value for ever: of a pool that is over it is the truth.
    for (const look of this.#looks.take()) {
      if (look.pool) this.states.set(look.pool, look.state);
      for (const metric of OBSERVABLES) {
        const instrument = this.#instruments[metric];
        look.eachNumber(metric, (value, attributes) => result.observe(instrument, value, attributes));
      }
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
