import type { HrTime } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { CollectionResult, MetricProducer } from "@opentelemetry/sdk-metrics";
import { VERSION } from "../version.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import { Collected, NUMBER, type SelectTemporality } from "./collected.ts";
import { BUCKETS } from "./histogram-value.ts";
import { hrTime, isHistogram, METRIC_NAMES, PoolLooks } from "./pool-looks.ts";
import { SCOPE_METRIC_NAMES, type ScopeNumbers } from "./scope-numbers.ts";
import {
  type HistogramName,
  METER_NAME,
  METRICS,
  type ObservableName,
  SCOPE_METRICS,
  type ScopeMetricName,
} from "./semconv.ts";

/**
 * Hands everything poolscope knows of its pools to a reader of OpenTelemetry's. Past the SDK's instruments: an observation
 * there sorts and stringifies its attributes each time, which for the 50 numbers of a pool took 150 µs, and a pool that has
 * ended stays in its storage for ever.
 */
export class Producer implements MetricProducer {
  readonly #created: HrTime = hrTime();
  readonly #looks: PoolLooks;
  readonly #scope: ScopeNumbers;
  readonly #select: SelectTemporality;
  readonly #metrics = collectedMetrics();

  /** @param select Asked at each collection: the reader it belongs to is made after the producer */
  constructor(registry: PoolRegistry, scope: ScopeNumbers, select: SelectTemporality) {
    this.#looks = new PoolLooks(registry);
    this.#scope = scope;
    this.#select = select;
  }

  async collect(): Promise<CollectionResult> {
    const all = Object.values(this.#metrics);
    const at = hrTime();
    for (const metric of all) metric.begin(this.#select, at);
    this.#add();
    const metrics = all.flatMap((metric) => metric.take() ?? []);
    return {
      resourceMetrics: {
        resource: NO_RESOURCE,
        scopeMetrics: metrics.length > 0 ? [{ scope: { name: METER_NAME, version: VERSION }, metrics }] : [],
      },
      errors: [],
    };
  }

  #add(): void {
    for (const look of this.#looks.take()) {
      for (const metric of METRIC_NAMES) {
        if (isHistogram(metric)) {
          const collected = this.#metrics[metric];
          look.eachHistogram(metric, (histogram, attributes) =>
            collected.add(histogram, attributes, look.since),
          );
        } else {
          const collected = this.#metrics[metric];
          look.eachNumber(metric, (value, attributes) => collected.add(value, attributes, look.since));
        }
      }
    }
    for (const metric of SCOPE_METRIC_NAMES) {
      const collected = this.#metrics[metric];
      this.#scope.each(metric, (value, attributes) => collected.add(value, attributes, this.#created));
    }
  }
}

/** The reader knows the resource. */
const NO_RESOURCE = { attributes: {} } as Resource;

type CollectedNumber = Collected<number, number>;
type CollectedHistogram = ReturnType<typeof collectedHistogram>;
type CollectedMetrics = Record<ObservableName | ScopeMetricName, CollectedNumber> &
  Record<HistogramName, CollectedHistogram>;

function collectedMetrics(): CollectedMetrics {
  const entries = Object.entries({ ...METRICS, ...SCOPE_METRICS }).map(([key, spec]) => [
    key,
    spec.kind === "histogram" ? collectedHistogram(key as HistogramName) : new Collected(spec, NUMBER),
  ]);
  return Object.fromEntries(entries) as CollectedMetrics;
}

const collectedHistogram = (metric: HistogramName) => new Collected(METRICS[metric], BUCKETS);
