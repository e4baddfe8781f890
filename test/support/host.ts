import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
  type ViewOptions,
} from "@opentelemetry/sdk-metrics";

/** An application's own MeterProvider and its reader. */
export interface Host {
  /** For `poolscope()`. */
  readonly options: { readonly meterProvider: MeterProvider; readonly reader: PeriodicExportingMetricReader };
  /** What one collection holds of each scope. */
  collect(): Promise<Record<string, MetricData[]>>;
}

export function makeHost(views: ViewOptions[] = []): Host {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const meterProvider = new MeterProvider({ readers: [reader], views });
  const collect = async () => {
    const { scopeMetrics } = (await reader.collect()).resourceMetrics;
    return Object.fromEntries(scopeMetrics.map(({ scope, metrics }) => [scope.name, metrics]));
  };
  return { options: { meterProvider, reader }, collect };
}
