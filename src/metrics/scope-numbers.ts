import type { Attributes } from "@opentelemetry/api";
import { ATTR_NOTIFIER, SCOPE_METRICS, type ScopeMetricName } from "./semconv.ts";

/** What became of the messages to one notifier. */
export interface DeliveryCounts {
  readonly name: string;
  readonly sent: number;
  readonly failed: number;
  readonly dropped: number;
}

const NUMBERS: Readonly<Record<ScopeMetricName, (counts: DeliveryCounts) => number>> = {
  alertsSent: ({ sent }) => sent,
  alertsFailed: ({ failed }) => failed,
  alertsDropped: ({ dropped }) => dropped,
};

export const SCOPE_METRIC_NAMES = Object.keys(SCOPE_METRICS) as readonly ScopeMetricName[];

/** What the metrics of a scope as a whole tell. */
export class ScopeNumbers {
  readonly #notifiers: { readonly counts: DeliveryCounts; readonly attributes: Attributes }[] = [];

  add(notifiers: readonly DeliveryCounts[]): void {
    for (const counts of notifiers) {
      this.#notifiers.push({ counts, attributes: { [ATTR_NOTIFIER]: counts.name } });
    }
  }

  each(metric: ScopeMetricName, say: (value: number, attributes: Attributes) => void): void {
    for (const { counts, attributes } of this.#notifiers) say(NUMBERS[metric](counts), attributes);
  }
}
