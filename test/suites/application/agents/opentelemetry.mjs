import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Starts OpenTelemetry with all instrumentations there are. Its spans are kept, none is exported. */
export function load() {
  const { trace } = require("@opentelemetry/api");
  const { NodeSDK, tracing } = require("@opentelemetry/sdk-node");
  const { getNodeAutoInstrumentations } = require("@opentelemetry/auto-instrumentations-node");
  const exporter = new tracing.InMemorySpanExporter();
  const sdk = new NodeSDK({
    // The detectors of clouds ask addresses of theirs.
    autoDetectResources: false,
    spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [getNodeAutoInstrumentations()],
  });
  sdk.start();
  const tracer = trace.getTracer("suite");
  return {
    inSpan: (run) =>
      tracer.startActiveSpan("suite", async (span) => {
        await run();
        span.end();
      }),
    spans: () =>
      exporter
        .getFinishedSpans()
        .filter(({ name }) => /^pg/.test(name))
        .map(({ name, status }) => `${name} ${status.code === 2 ? "failed" : "ok"}`),
  };
}
