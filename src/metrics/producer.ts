import type { Attributes, HrTime } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { CollectionResult, MetricProducer } from "@opentelemetry/sdk-metrics";
import { getOrCreate } from "../get-or-create.ts";
import { VERSION } from "../version.ts";
import { NO_STATE, type PoolState } from "../watch/pool-state.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { Collected, NUMBER, type SelectTemporality } from "./collected.ts";
import { BUCKETS } from "./histogram-value.ts";
import type { PoolHistograms } from "./pool-histograms.ts";
import { PoolAttributes, sayNumbers } from "./pool-numbers.ts";
import type { DeliveryCounts } from "./scope-instruments.ts";
import {
  ATTR_NOTIFIER,
  type HistogramName,
  METER_NAME,
  METRICS,
  type ObservableName,
  SCOPE_METRICS,
  type ScopeMetricName,
} from "./semconv.ts";

/**
 * Hands everything poolscope knows of its pools to one reader. Past the SDK's instruments: an observation there sorts
 * and stringifies its attributes each time, which for the 50 numbers of a pool took 150 µs, and a pool that has ended
 * stays in its storage for ever.
 */
export class Producer implements MetricProducer {
  /** What the pools were seen doing at the last collection: what a reading tells beyond numbers. */
  readonly states: WeakMap<WatchedPool, PoolState> = new WeakMap();

  readonly #created: HrTime;
  readonly #tracked: Tracked;
  readonly #select: SelectTemporality;
  readonly #since = new WeakMap<WatchedPool, HrTime>();
  readonly #attributes = new WeakMap<WatchedPool, PoolAttributes>();
  readonly #metrics = collectedMetrics();
  readonly #deliveries: readonly DeliveryCounts[];
  readonly #notifiers = new Map<string, Attributes>();

  /**
   * @param deliveries What became of the messages to notifiers; may grow
   * @param select Asked at each collection: the reader it belongs to is made after the producer
   */
  constructor(registry: PoolRegistry, deliveries: readonly DeliveryCounts[], select: SelectTemporality) {
    this.#created = hrTime();
    this.#deliveries = deliveries;
    registry.onAdd((pool) => this.#since.set(pool, hrTime()));
    this.#tracked = new Tracked(registry);
    this.#select = select;
  }

  async collect(): Promise<CollectionResult> {
    const at = hrTime();
    const all = Object.values(this.#metrics);
    for (const metric of all) metric.begin(this.#select, at);
    for (const { pool, isOver } of this.#tracked.visit()) this.#collectPool(pool, isOver, at);
    for (const counts of this.#deliveries) this.#collectDeliveries(counts);
    const metrics = all.flatMap((metric) => metric.take() ?? []);
    return {
      resourceMetrics: {
        resource: NO_RESOURCE,
        scopeMetrics: metrics.length > 0 ? [{ scope: { name: METER_NAME, version: VERSION }, metrics }] : [],
      },
      errors: [],
    };
  }

  #collectPool(pool: WatchedPool, isOver: boolean, at: HrTime): void {
    const since = this.#since.get(pool) ?? at;
    const attributes = getOrCreate(this.#attributes, pool, () => new PoolAttributes(pool.attributes));
    // What a pool that is over does is nothing; what it has counted stays.
    const state = isOver ? NO_STATE : pool.state();
    this.states.set(pool, state);
    sayNumbers(pool, state, (metric, value, label) => {
      this.#metrics[metric].add(value, attributes.of(metric, label), since);
    });
    for (const { metric, histogram, attributes } of (pool.recorders as PoolHistograms).series) {
      this.#metrics[metric].add(histogram, attributes, since);
    }
  }

  #collectDeliveries({ name, sent, failed, dropped }: DeliveryCounts): void {
    const attributes = getOrCreate(this.#notifiers, name, () => ({ [ATTR_NOTIFIER]: name }));
    this.#metrics.alertsSent.add(sent, attributes, this.#created);
    this.#metrics.alertsFailed.add(failed, attributes, this.#created);
    this.#metrics.alertsDropped.add(dropped, attributes, this.#created);
  }
}

/** The reader, or whoever it tells, knows the resource. */
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

function hrTime(): HrTime {
  const millis = Date.now();
  return [Math.trunc(millis / 1000), (millis % 1000) * 1e6];
}
