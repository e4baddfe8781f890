import type { ViewOptions } from "@opentelemetry/sdk-metrics";
import type { ViewsOptions } from "../options.ts";
import { resolveViewsOptions } from "../settings.ts";
import { DROP } from "./sdk-values.ts";
import { INSTRUMENTATION_NAME, METRICS, POOL_METRICS } from "./semconv.ts";

/**
 * Views for an application's own MeterProvider that has metrics of `@opentelemetry/instrumentation-pg` too:
 * `new MeterProvider({ readers, views: [...poolscopeViews()] })`. They drop what poolscope counts, so that nothing is
 * counted twice: its pool metrics, and its durations of queries. Its spans are not concerned.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function poolscopeViews(options?: ViewsOptions): ViewOptions[] {
  const { queries } = resolveViewsOptions(options);
  const drop = (instrumentName: string): ViewOptions => ({
    meterName: INSTRUMENTATION_NAME,
    instrumentName,
    aggregation: { type: DROP },
  });
  const pools = drop(`${POOL_METRICS}*`);
  return queries === "off" ? [pools] : [pools, drop(METRICS.queryDuration.name)];
}
