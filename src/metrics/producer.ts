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
import { getOrCreate } from "../get-or-create.ts";
import { VERSION } from "../version.ts";
import { type PoolRegistry, Tracked } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { BucketHistogram } from "./histogram.ts";
import type { HistogramSeries, PoolHistograms } from "./pool-histograms.ts";
import { type HistogramName, METER_NAME, METRICS } from "./semconv.ts";

type Histogram = DataPoint<HistogramMetricData["dataPoints"][number]["value"]>["value"];

/** What a delta reader was told last of one histogram. */
interface Told {
  readonly at: HrTime;
  readonly counts: Float64Array;
  readonly sum: number;
}

/**
 * Hands the typed-array histograms to one reader, in the temporality that reader asked for. Readers do not share a
 * producer: what a delta reader was told is its own affair.
 */
export class HistogramProducer implements MetricProducer {
  readonly #tracked: Tracked;
  readonly #temporality: () => AggregationTemporality;
  readonly #since = new WeakMap<WatchedPool, HrTime>();
  readonly #told = new WeakMap<BucketHistogram, Told>();

  /** @param temporality Asked at each collection: the reader it belongs to is made after the producer. */
  constructor(registry: PoolRegistry, temporality: () => AggregationTemporality) {
    registry.onAdd((pool) => this.#since.set(pool, hrTime()));
    this.#tracked = new Tracked(registry);
    this.#temporality = temporality;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = hrTime();
    const isDelta = this.#temporality() === AggregationTemporality.DELTA;
    const points = new Map<HistogramName, DataPoint<Histogram>[]>();
    for (const { pool } of this.#tracked.visit()) {
      const since = this.#since.get(pool) ?? endTime;
      for (const series of (pool.recorders as PoolHistograms).series) {
        const point = isDelta ? this.#delta(series, since, endTime) : cumulative(series, since, endTime);
        getOrCreate(points, series.metric, () => []).push(point);
      }
    }
    const temporality = isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
    const metrics = [...points].map(([metric, dataPoints]) => metricData(metric, dataPoints, temporality));
    return {
      resourceMetrics: {
        resource: emptyResource(),
        scopeMetrics: metrics.length > 0 ? [{ scope: { name: METER_NAME, version: VERSION }, metrics }] : [],
      },
      errors: [],
    };
  }

  #delta({ histogram, attributes }: HistogramSeries, since: HrTime, endTime: HrTime): DataPoint<Histogram> {
    const before = this.#told.get(histogram);
    const { counts, sum } = histogram;
    this.#told.set(histogram, { at: endTime, counts: counts.slice(), sum });
    const value = before ? difference(histogram, before) : snapshot(histogram);
    return { startTime: before?.at ?? since, endTime, attributes, value };
  }
}

function cumulative(
  { histogram, attributes }: HistogramSeries,
  startTime: HrTime,
  endTime: HrTime,
): DataPoint<Histogram> {
  return { startTime, endTime, attributes, value: snapshot(histogram) };
}

function metricData(
  metric: HistogramName,
  dataPoints: DataPoint<Histogram>[],
  aggregationTemporality: AggregationTemporality,
): MetricData {
  const { name, description, unit } = METRICS[metric];
  return {
    descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints,
  };
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
function difference(histogram: BucketHistogram, before: Told): Histogram {
  const delta = Array.from(histogram.counts, (value, bucket) => value - (before.counts[bucket] ?? 0));
  return {
    buckets: { boundaries: [...histogram.boundaries], counts: delta },
    count: delta.reduce((total, value) => total + value, 0),
    sum: histogram.sum - before.sum,
    hasMinMax: false,
  } as Histogram;
}

function hrTime(): HrTime {
  const millis = Date.now();
  return [Math.trunc(millis / 1000), (millis % 1000) * 1e6];
}
