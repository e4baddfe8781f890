import type { Attributes } from "@opentelemetry/api";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { EXPONENTIAL_HISTOGRAM_POINTS } from "../metrics/sdk-values.ts";
import { ATTR_POOL_NAME, METER_NAME, METRICS, type MetricSpec } from "../metrics/semconv.ts";
import { addBuckets, type Buckets, NO_BUCKETS } from "./distribution.ts";

interface Point {
  readonly attributes: Attributes;
  readonly value: unknown;
}

/** By name. A list of places for each pool takes a tenth of a map of names. */
const METRIC_PLACES: ReadonlyMap<string, number> = new Map(
  Object.values(METRICS).map(({ name }, place) => [name, place]),
);

/** A series of one pool and metric, and the others. A list of its own for each metric would be mostly room for more. */
interface Link extends Point {
  next: Link | undefined;
}

/** What one collection says, found by pool and metric. */
export class MetricPoints {
  /** By pool's name: the first series of each metric, at its place in {@link METRIC_PLACES}. */
  readonly #points = new Map<unknown, (Link | undefined)[]>();

  constructor({ scopeMetrics }: ResourceMetrics) {
    for (const { scope, metrics } of scopeMetrics) {
      if (scope.name !== METER_NAME) continue;
      for (const { descriptor, dataPointType, dataPoints } of metrics) {
        if (dataPointType === EXPONENTIAL_HISTOGRAM_POINTS) continue;
        const place = METRIC_PLACES.get(descriptor.name);
        if (place === undefined) continue;
        // From the last: the first series comes first in its chain.
        for (let index = dataPoints.length - 1; index >= 0; index--) {
          this.#add(place, dataPoints[index] as Point);
        }
      }
    }
  }

  #add(place: number, { attributes, value }: Point): void {
    const pool = attributes[ATTR_POOL_NAME];
    let metrics = this.#points.get(pool);
    if (!metrics) {
      metrics = new Array(METRIC_PLACES.size).fill(undefined);
      this.#points.set(pool, metrics);
    }
    metrics[place] = { attributes, value, next: metrics[place] };
  }

  has(pool: string): boolean {
    return this.#points.has(pool);
  }

  /** The value of a series: the one whose attribute `key` is `value`, or the only one. */
  value(pool: string, metric: MetricSpec, key?: string, value?: string): number {
    let point = this.#first(pool, metric);
    while (point && key !== undefined && point.attributes[key] !== value) point = point.next;
    return typeof point?.value === "number" ? point.value : 0;
  }

  /** All series of a metric, by the value of one attribute. */
  byAttribute(pool: string, metric: MetricSpec, key: string): [string, number][] {
    const values: [string, number][] = [];
    for (let point = this.#first(pool, metric); point; point = point.next) {
      values.push([String(point.attributes[key]), Number(point.value)]);
    }
    return values;
  }

  hasMetric(pool: string, metric: MetricSpec): boolean {
    return this.#first(pool, metric) !== undefined;
  }

  /** All series of a histogram together. */
  buckets(pool: string, metric: MetricSpec): Buckets {
    let together = NO_BUCKETS;
    for (let point = this.#first(pool, metric); point; point = point.next) {
      together = addBuckets(together, bucketsOf(point));
    }
    return together;
  }

  #first(pool: string, { name }: MetricSpec): Link | undefined {
    return this.#points.get(pool)?.[METRIC_PLACES.get(name) ?? -1];
  }
}

function bucketsOf({ value }: Point): Buckets {
  const { buckets, sum = 0 } = value as { buckets: Omit<Buckets, "sum">; sum?: number };
  return { boundaries: buckets.boundaries, counts: buckets.counts, sum };
}
