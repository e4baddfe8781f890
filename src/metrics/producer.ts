import type { HrTime } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
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
import { type HistogramName, METER_NAME, METRICS, type ObservableName } from "./semconv.ts";

/**
 * Hands everything poolscope knows of its pools to one reader. Past the SDK's instruments: an observation there sorts
 * and stringifies its attributes each time, which for the 50 numbers of a pool took 150 µs, and a pool that has ended
 * stays in its storage for ever.
 */
export class PoolProducer implements MetricProducer {
  /** What the pools were seen doing at the last collection: what a reading tells beyond numbers. */
  readonly states: WeakMap<WatchedPool, PoolState> = new WeakMap();

  readonly #tracked: Tracked;
  readonly #select: SelectTemporality;
  readonly #since = new WeakMap<WatchedPool, HrTime>();
  readonly #attributes = new WeakMap<WatchedPool, PoolAttributes>();
  readonly #metrics = collectedMetrics();

  /** @param select Asked at each collection: the reader it belongs to is made after the producer. */
  constructor(registry: PoolRegistry, select: SelectTemporality) {
    registry.onAdd((pool) => this.#since.set(pool, hrTime()));
    this.#tracked = new Tracked(registry);
    this.#select = select;
  }

  async collect(): Promise<CollectionResult> {
    const at = hrTime();
    const all = Object.values(this.#metrics);
    for (const metric of all) metric.begin(this.#select, at);
    for (const { pool, isOver } of this.#tracked.visit()) this.#collect(pool, isOver, at);
    const metrics = all.flatMap((metric) => metric.take() ?? []);
    return {
      resourceMetrics: {
        resource: emptyResource(),
        scopeMetrics: metrics.length > 0 ? [{ scope: { name: METER_NAME, version: VERSION }, metrics }] : [],
      },
      errors: [],
    };
  }

  #collect(pool: WatchedPool, isOver: boolean, at: HrTime): void {
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
}

type CollectedNumber = Collected<number, number>;
type CollectedHistogram = ReturnType<typeof collectedHistogram>;
type CollectedMetrics = Record<ObservableName, CollectedNumber> & Record<HistogramName, CollectedHistogram>;

function collectedMetrics(): CollectedMetrics {
  const entries = Object.entries(METRICS).map(([key, spec]) => [
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
