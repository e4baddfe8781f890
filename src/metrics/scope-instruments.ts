import type { BatchObservableResult, Meter } from "@opentelemetry/api";
import { createObservable } from "./instruments.ts";
import { type DeliveryCounts, SCOPE_METRIC_NAMES, ScopeNumbers } from "./scope-numbers.ts";
import { SCOPE_METRICS } from "./semconv.ts";

/** The instruments of a scope as a whole. Like those of pools they read numbers when somebody collects. */
export class ScopeInstruments {
  readonly #remove: () => void;

  constructor(meter: Meter, notifiers: readonly DeliveryCounts[]) {
    const numbers = new ScopeNumbers();
    numbers.add(notifiers);
    const instruments = SCOPE_METRIC_NAMES.map(
      (metric) => [metric, createObservable(meter, SCOPE_METRICS[metric])] as const,
    );
    const callback = (result: BatchObservableResult) => {
      for (const [metric, instrument] of instruments) {
        numbers.each(metric, (value, attributes) => result.observe(instrument, value, attributes));
      }
    };
    const observables = instruments.map(([, instrument]) => instrument);
    meter.addBatchObservableCallback(callback, observables);
    this.#remove = () => meter.removeBatchObservableCallback(callback, observables);
  }

  remove(): void {
    this.#remove();
  }
}
