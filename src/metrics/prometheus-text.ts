import type { Attributes } from "@opentelemetry/api";
import type { MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { isHistogram, METRIC_NAMES, type PoolLook } from "./pool-looks.ts";
import { type MetricSeries, PrometheusLines } from "./prometheus-lines.ts";
import { SCOPE_METRIC_NAMES, type ScopeNumbers } from "./scope-numbers.ts";
import { GAUGE_POINTS, HISTOGRAM_POINTS, SUM_POINTS } from "./sdk-values.ts";
import { METER_NAME, METRICS, SCOPE_METRICS } from "./semconv.ts";
import { HistogramColumn, NumberColumn } from "./series-columns.ts";

/** The text in pieces, each made when it is asked for. The numbers are those of the moment of the call. */
export function textOfPools(
  resource: Attributes,
  looks: readonly PoolLook[],
  scope: ScopeNumbers,
): Iterable<Buffer> {
  const metrics = METRIC_NAMES.map((metric) => {
    if (isHistogram(metric)) {
      const column = new HistogramColumn(METRICS[metric]);
      for (const look of looks) look.eachHistogram(metric, (...series) => column.add(...series));
      return column;
    }
    const column = new NumberColumn(METRICS[metric]);
    for (const look of looks) look.eachNumber(metric, (...series) => column.add(...series));
    return column;
  });
  const ofScope = SCOPE_METRIC_NAMES.map((metric) => {
    const column = new NumberColumn(SCOPE_METRICS[metric]);
    scope.each(metric, (...series) => column.add(...series));
    return column;
  });
  return pieces(resource, [...metrics, ...ofScope]);
}

/** The same of what a reader of OpenTelemetry's collected; the metrics of others stay out. */
export function textOfCollection({ resource, scopeMetrics }: ResourceMetrics): Iterable<Buffer> {
  const metrics = scopeMetrics.flatMap(({ scope, metrics }) => (scope.name === METER_NAME ? metrics : []));
  return pieces(resource.attributes, metrics.flatMap(collectedSeries));
}

function* pieces(resource: Attributes, metrics: readonly MetricSeries[]): Generator<Buffer> {
  const lines = new PrometheusLines(resource);
  for (const metric of metrics) {
    lines.begin(metric.spec);
    for (let series = 0; series < metric.length; series++) {
      metric.write(series, lines);
      if (lines.isPiece) yield lines.take();
    }
  }
  yield lines.end();
}

/** None of exponential histograms, which only a view of the application's makes: they have no form in this format. */
function collectedSeries(metric: MetricData): MetricSeries | [] {
  const { length } = metric.dataPoints;
  switch (metric.dataPointType) {
    case HISTOGRAM_POINTS: {
      const points = metric.dataPoints;
      const write: MetricSeries["write"] = (series, lines) => {
        const { value, attributes } = points[series] as (typeof points)[number];
        const { buckets, count, sum } = value;
        lines.addHistogram({ ...buckets, count, sum }, attributes);
      };
      return { spec: { ...metric.descriptor, kind: "histogram" }, length, write };
    }
    case SUM_POINTS:
    case GAUGE_POINTS: {
      const points = metric.dataPoints;
      const isCounter = metric.dataPointType === SUM_POINTS && metric.isMonotonic;
      const write: MetricSeries["write"] = (series, lines) => {
        const { value, attributes } = points[series] as (typeof points)[number];
        lines.addNumber(value, attributes);
      };
      return { spec: { ...metric.descriptor, kind: isCounter ? "counter" : "gauge" }, length, write };
    }
    default:
      return [];
  }
}
