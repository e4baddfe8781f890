import type { Contestant } from "./contestant.ts";

export interface Entry {
  /** How it is installed. */
  readonly about: string;
  readonly load: () => Promise<Contestant>;
}

/** Everybody who is compared. Each is loaded in a process of its own, and only there. */
export const CONTESTANTS: Readonly<Record<string, Entry>> = {
  bare: { about: "nobody watches", load: async () => (await import("./bare.ts")).bare },
  "bare again": {
    about: "a second bare twin: how far apart two equals measure",
    load: async () => (await import("./bare.ts")).bare,
  },
  poolscope: {
    about: "`poolscope()` and `watch()`, everything on default",
    load: async () => (await import("./poolscope.ts")).everything,
  },
  "poolscope, pool only": {
    about: '`queries: "off"`, `leakAfterMillis: 0`',
    load: async () => (await import("./poolscope.ts")).poolOnly,
  },
  "instrumentation-pg": {
    about:
      "`@opentelemetry/instrumentation-pg` with a MeterProvider and a tracer that records every span; without a context " +
      "manager, a span processor that keeps spans, or an exporter, which would all add to it",
    load: async () => (await import("./instrumentation-pg.ts")).spansAndMetrics,
  },
  "instrumentation-pg, no spans": {
    about: "the same with a MeterProvider alone",
    load: async () => (await import("./instrumentation-pg.ts")).metricsOnly,
  },
  "prometheus-exporter": {
    about:
      "`@christiangalsterer/node-postgres-prometheus-exporter`: `monitorPgPool(pool, register)`; it measures no queries",
    load: async () => (await import("./prometheus-exporter.ts")).prometheusExporter,
  },
  "pg-pool-monitor": {
    about:
      "`createMonitor(pool).instrument()`; it counts connections when asked, and measures neither queries nor waits",
    load: async () => (await import("./pool-monitor.ts")).poolMonitor,
  },
};

/** All that a bare twin is put beside. */
export const BESIDE_BARE: readonly string[] = Object.keys(CONTESTANTS).filter((name) => name !== "bare");
