import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { getOrCreate } from "../get-or-create.ts";
import { ATTR_POOL_NAME, METER_NAME, type MetricSpec } from "../metrics/semconv.ts";
import { type Buckets, NO_BUCKETS } from "./distribution.ts";

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

  buckets(pool: string, { name }: MetricSpec): Buckets {
    const value = this.#points.get(pool)?.get(name)?.[0]?.value as
      | { buckets: { boundaries: number[]; counts: number[] }; sum?: number }
      | undefined;
    if (!value) return NO_BUCKETS;
    return { boundaries: value.buckets.boundaries, counts: value.buckets.counts, sum: value.sum ?? 0 };
  }
}
