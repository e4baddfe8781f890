import { type HrTime, ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type HistogramMetricData,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { VERSION } from "../version.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { BucketHistogram } from "./histogram.ts";
import { METER_NAME, METRICS, type MetricSpec } from "./semconv.ts";

type Histogram = DataPoint<HistogramMetricData["dataPoints"][number]["value"]>["value"];

/** The histograms of a pool in typed arrays, see {@link BucketHistogram}. */
export interface PoolHistograms extends PoolRecorders {
  readonly wait: BucketHistogram;
  readonly use: BucketHistogram;
  readonly create: BucketHistogram;
  readonly reuse: BucketHistogram;
}

export function poolHistograms(): PoolHistograms {
  return {
    wait: new BucketHistogram(METRICS.waitTime.boundaries),
    use: new BucketHistogram(METRICS.useTime.boundaries),
    create: new BucketHistogram(METRICS.createTime.boundaries),
    reuse: new BucketHistogram(METRICS.reuse.boundaries),
  };
}

const SERIES: readonly (readonly [keyof PoolHistograms, MetricSpec])[] = [
  ["wait", METRICS.waitTime],
  ["use", METRICS.useTime],
  ["create", METRICS.createTime],
  ["reuse", METRICS.reuse],
];

/** What a delta reader was told last, of each of the SERIES. */
interface Told {
  readonly at: HrTime;
  readonly series: readonly { readonly counts: Float64Array; readonly sum: number }[];
}

/**
 * Hands the typed-array histograms to one reader, in the temporality that reader asked for. Readers do not share a
 * producer: what a delta reader was told is its own affair.
 */
export class HistogramProducer implements MetricProducer {
  readonly #tracked: Tracked;
  readonly #temporality: () => AggregationTemporality;
  readonly #since = new WeakMap<WatchedPool, HrTime>();
  readonly #told = new WeakMap<WatchedPool, Told>();

  /** @param temporality Asked at each collection: the reader it belongs to is made after the producer. */
  constructor(registry: PoolRegistry, temporality: () => AggregationTemporality) {
    registry.onAdd((pool) => this.#since.set(pool, hrTime()));
    this.#tracked = new Tracked(registry);
    this.#temporality = temporality;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = hrTime();
    const isDelta = this.#temporality() === AggregationTemporality.DELTA;
    const points = SERIES.map((): DataPoint<Histogram>[] => []);
    for (const { pool } of this.#tracked.visit()) {
      const histograms = pool.recorders as PoolHistograms;
      const told = isDelta ? this.#told.get(pool) : undefined;
      const startTime = told?.at ?? this.#since.get(pool) ?? endTime;
      SERIES.forEach(([key], index) => {
        const before = told?.series[index];
        const value = before ? difference(histograms[key], before) : snapshot(histograms[key]);
        points[index]?.push({ startTime, endTime, attributes: pool.attributes, value });
      });
      if (isDelta) this.#told.set(pool, remember(histograms, endTime));
    }
    const metrics = SERIES.map(
      ([, spec], index): MetricData => ({
        descriptor: {
          name: spec.name,
          description: spec.description,
          unit: spec.unit,
          valueType: ValueType.DOUBLE,
        },
        aggregationTemporality: isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: points[index] ?? [],
      }),
    ).filter((metric) => metric.dataPoints.length > 0);
    return {
      resourceMetrics: {
        resource: emptyResource(),
        scopeMetrics: metrics.length > 0 ? [{ scope: { name: METER_NAME, version: VERSION }, metrics }] : [],
      },
      errors: [],
    };
  }
}

function snapshot(histogram: BucketHistogram): Histogram {
  const { boundaries, counts, count, sum, min, max } = histogram;
  return {
    buckets: { boundaries: [...boundaries], counts: [...counts] },
    count,
    sum,
    // OTLP forbids infinities here: an empty histogram has no minimum.
    ...(count > 0 ? { min, max, hasMinMax: true } : { hasMinMax: false }),
  } as Histogram;
}

/** Minimum and maximum of an interval cannot be told from running ones, so a later delta has none. */
function difference(histogram: BucketHistogram, before: Told["series"][number]): Histogram {
  const delta = Array.from(histogram.counts, (value, bucket) => value - (before.counts[bucket] ?? 0));
  return {
    buckets: { boundaries: [...histogram.boundaries], counts: delta },
    count: delta.reduce((total, value) => total + value, 0),
    sum: histogram.sum - before.sum,
    hasMinMax: false,
  } as Histogram;
}

function remember(histograms: PoolHistograms, at: HrTime): Told {
  const series = SERIES.map(([key]) => ({
    counts: histograms[key].counts.slice(),
    sum: histograms[key].sum,
  }));
  return { at, series };
}

function hrTime(): HrTime {
  const millis = Date.now();
  return [Math.trunc(millis / 1000), (millis % 1000) * 1e6];
}
