import type { Attributes, BatchObservableResult, Meter } from "@opentelemetry/api";
import { createObservable } from "./instruments.ts";
import { ATTR_NOTIFIER, SCOPE_METRICS } from "./semconv.ts";

/** What became of the messages to one notifier. */
export interface DeliveryCounts {
  readonly name: string;
  readonly sent: number;
  readonly failed: number;
  readonly dropped: number;
}

/** The instruments of a scope as a whole. Like those of pools they read numbers when somebody collects. */
export class ScopeInstruments {
  readonly #remove: () => void;

  constructor(meter: Meter, notifiers: readonly DeliveryCounts[]) {
    const sent = createObservable(meter, SCOPE_METRICS.alertsSent);
    const failed = createObservable(meter, SCOPE_METRICS.alertsFailed);
    const dropped = createObservable(meter, SCOPE_METRICS.alertsDropped);
    const labelled = notifiers.map((counts) => {
      const attributes: Attributes = { [ATTR_NOTIFIER]: counts.name };
      return [counts, attributes] as const;
    });
    const callback = (result: BatchObservableResult) => {
      for (const [counts, attributes] of labelled) {
        result.observe(sent, counts.sent, attributes);
        result.observe(failed, counts.failed, attributes);
        result.observe(dropped, counts.dropped, attributes);
      }
    };
    const observables = [sent, failed, dropped];
    meter.addBatchObservableCallback(callback, observables);
    this.#remove = () => meter.removeBatchObservableCallback(callback, observables);
  }

  remove(): void {
    this.#remove();
  }
}
