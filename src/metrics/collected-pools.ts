import type { Attributes } from "@opentelemetry/api";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { getOrCreate } from "../get-or-create.ts";
import type { PoolState } from "../watch/pool-state.ts";
import { EXPONENTIAL_HISTOGRAM_POINTS } from "./sdk-values.ts";
import { ATTR_POOL_NAME, METER_NAME, METRICS, type ObservableName } from "./semconv.ts";
import type { PoolMetrics } from "./telemetry.ts";

interface Point {
  readonly attributes: Attributes;
  readonly value: unknown;
}

/** The series of one pool, by the metric's name. */
type Series = Map<string, Point[]>;

/** What one collection by the application's reader says, by pool. */
export class CollectedPools {
  readonly #pools = new Map<unknown, Series>();

  constructor({ scopeMetrics }: ResourceMetrics) {
    for (const { scope, metrics } of scopeMetrics) {
      if (scope.name !== METER_NAME) continue;
      for (const { descriptor, dataPointType, dataPoints } of metrics) {
        if (dataPointType === EXPONENTIAL_HISTOGRAM_POINTS) continue;
        for (const point of dataPoints) this.#add(descriptor.name, point);
      }
    }
  }

  #add(metric: string, point: Point): void {
    const series = getOrCreate(
      this.#pools,
      point.attributes[ATTR_POOL_NAME],
      () => new Map<string, Point[]>(),
    );
    getOrCreate(series, metric, () => []).push(point);
  }

  has(pool: string): boolean {
    return this.#pools.has(pool);
  }

  of(pool: string, state: PoolState): PoolMetrics {
    return new CollectedPool(this.#pools.get(pool) ?? new Map(), state);
  }
}

class CollectedPool implements PoolMetrics {
  readonly state: PoolState;
  readonly #series: Series;

  constructor(series: Series, state: PoolState) {
    this.#series = series;
    this.state = state;
  }

  has(metric: ObservableName): boolean {
    return this.#points(metric).length > 0;
  }

  value(metric: ObservableName, label?: string): number {
    const key = METRICS[metric].attributes?.[0];
    const point = this.#points(metric).find(
      ({ attributes }) => key === undefined || attributes[key] === label,
    );
    return typeof point?.value === "number" ? point.value : 0;
  }

  byLabel(metric: ObservableName): [label: string, value: number][] {
    const key = METRICS[metric].attributes?.[0] ?? "";
    return this.#points(metric).map(({ attributes, value }) => [String(attributes[key]), Number(value)]);
  }

  #points(metric: ObservableName): readonly Point[] {
    return this.#series.get(METRICS[metric].name) ?? [];
  }
}
