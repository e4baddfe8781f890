import { metrics, trace } from "@opentelemetry/api";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { AlwaysOnSampler, BasicTracerProvider, type SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { type Contestant, expectCount } from "./contestant.ts";

export const spansAndMetrics: Contestant = instrumented(true);
export const metricsOnly: Contestant = instrumented(false);

function instrumented(hasSpans: boolean): Contestant {
  return async (makePool) => {
    const reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
      exportIntervalMillis: 2 ** 30,
    });
    const meterProvider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(meterProvider);
    const spans = new CountingProcessor();
    if (hasSpans) {
      trace.setGlobalTracerProvider(
        new BasicTracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [spans] }),
      );
    }
    new PgInstrumentation();
    const pool = makePool();
    return {
      pool,
      async check({ queries }) {
        const { resourceMetrics } = await reader.collect();
        const points: readonly DataPoint<unknown>[] = resourceMetrics.scopeMetrics
          .flatMap((scope) => scope.metrics)
          .filter(({ descriptor }) => descriptor.name === "db.client.operation.duration")
          .flatMap((metric) => metric.dataPoints as DataPoint<unknown>[]);
        const counts = points.map(({ value }) => (value as Histogram).count);
        const counted = counts.reduce((sum, count) => sum + count, 0);
        expectCount("queries", counted, queries);
        if (hasSpans) expectCount("spans of queries", spans.queries, queries);
        await meterProvider.shutdown();
      },
    };
  };
}

/** The cheapest there is that still shows that spans were recorded. */
class CountingProcessor implements SpanProcessor {
  queries = 0;
  onStart(): void {}
  onEnd({ name }: { readonly name: string }): void {
    if (name.startsWith("pg.query")) this.queries++;
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
