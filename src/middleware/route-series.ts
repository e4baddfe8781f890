import { getOrCreate } from "../get-or-create.ts";
import type { Recorder } from "../metrics/histogram.ts";
import { ATTR_HTTP_ROUTE, type HistogramName } from "../metrics/semconv.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";

export type RouteMetric = Extract<HistogramName, "routeWaitTime" | "routeUseTime" | "routeQueryTime">;

type ByRoute = Map<string, Recorder>;

/** The series by route of all pools of a scope, each made with its first measurement. */
export class RouteSeries {
  readonly #pools = new WeakMap<PoolRecorders, Record<RouteMetric, ByRoute>>();

  record(pool: PoolRecorders, metric: RouteMetric, route: string, seconds: number): void {
    const series = getOrCreate(this.#pools, pool, () => ({
      routeWaitTime: new Map(),
      routeUseTime: new Map(),
      routeQueryTime: new Map(),
    }));
    const make = () => pool.make(metric, { [ATTR_HTTP_ROUTE]: route });
    getOrCreate(series[metric], route, make).record(seconds);
  }
}
