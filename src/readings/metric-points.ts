import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { getOrCreate } from "../get-or-create.ts";
import { ATTR_POOL_NAME, METER_NAME, type MetricSpec } from "../metrics/semconv.ts";
import { addBuckets, type Buckets, NO_BUCKETS } from "./distribution.ts";

interface Point {
  readonly attributes: Attributes;
  readonly value: unknown;
}

/** What one collection says, found by pool and metric. */
export class MetricPoints {
  /** Pool name → metric name → points. */
  readonly #points = new Map<unknown, Map<string, Point[]>>();

  constructor({ scopeMetrics }: ResourceMetrics) {
    for (const { scope, metrics } of scopeMetrics) {
      if (scope.name !== METER_NAME) continue;
      for (const { descriptor, dataPointType, dataPoints } of metrics) {
        if (dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) continue;
        for (const point of dataPoints as readonly Point[]) this.#add(descriptor.name, point);
      }
    }
  }

  #add(metric: string, point: Point): void {
    const metrics = getOrCreate(
      this.#points,
      point.attributes[ATTR_POOL_NAME],
      () => new Map<string, Point[]>(),
    );
    getOrCreate(metrics, metric, () => []).push(point);
  }

  has(pool: string): boolean {
    return this.#points.has(pool);
  }

  /** The value of a series: the one whose attribute `key` is `value`, or the only one. */
  value(pool: string, { name }: MetricSpec, key?: string, value?: string): number {
    const points = this.#points.get(pool)?.get(name) ?? [];
    const point = key === undefined ? points[0] : points.find(({ attributes }) => attributes[key] === value);
    return typeof point?.value === "number" ? point.value : 0;
  }

  /** All series of a metric, by the value of one attribute. */
  byAttribute(pool: string, { name }: MetricSpec, key: string): [string, number][] {
    const points = this.#points.get(pool)?.get(name) ?? [];
    return points.map(({ attributes, value }) => [String(attributes[key]), Number(value)]);
  }

  hasMetric(pool: string, { name }: MetricSpec): boolean {
    return this.#points.get(pool)?.has(name) === true;
  }

  /** All series of a histogram together. */
  buckets(pool: string, { name }: MetricSpec): Buckets {
    const points = this.#points.get(pool)?.get(name) ?? [];
    return points.map(bucketsOf).reduce(addBuckets, NO_BUCKETS);
  }
}

function bucketsOf({ value }: Point): Buckets {
  const { buckets, sum = 0 } = value as { buckets: Omit<Buckets, "sum">; sum?: number };
  return { boundaries: buckets.boundaries, counts: buckets.counts, sum };
}
