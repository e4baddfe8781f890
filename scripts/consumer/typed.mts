// Compiled, not run: as this ES module, and as CommonJS in a copy named typed.cts.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import express from "express";
import pg from "pg";
import {
  type Alert,
  type DatabaseHealth,
  PoolscopeError,
  type PoolWatch,
  poolscope,
  poolscopeViews,
  slack,
  type UnknownHealth,
} from "poolscope";

export async function typed(): Promise<number> {
  const pool = new pg.Pool({ max: 3 });
  const scope = poolscope({
    serviceName: "consumer",
    logger: console,
    otlp: false,
    thresholds: { warning: 0.5 },
    alerts: { usage: { enter: 0.9, leave: 0.8 }, slowQueries: false },
    notifiers: [
      slack(process.env["SLACK_URL"]),
      { name: "own", notify: async ({ summary }: Alert, signal) => console.log(summary, signal.aborted) },
    ],
  });
  const watch: PoolWatch = scope.watch(pool, { name: "orders", attributes: { shard: 1 } });

  const app = express();
  app.use("/health", scope.health({ cacheMillis: 0 }));
  app.get("/metrics", scope.metrics());

  const health = (await (await fetch("http://localhost/health/database")).json()) as
    | DatabaseHealth
    | UnknownHealth;
  if ("message" in health) throw new Error(health.message);
  const refused: number | undefined = health.pools[0]?.connect_failures["refused"];

  await scope.shutdown({ timeoutMillis: 100 });
  return scope.history(watch.name).length + (refused ?? 0);
}

/** The application's own provider and reader, of whichever SDK line got installed. */
export function withHost(): string | undefined {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter });
  try {
    const meterProvider = new MeterProvider({ readers: [reader], views: [...poolscopeViews()] });
    poolscope({ meterProvider, reader });
  } catch (error) {
    if (error instanceof PoolscopeError) return error.code;
  }
  return undefined;
}
