import { trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach } from "vitest";

/** The names of the spans ended since the last look. */
export type TakeSpans = () => string[];

/** A real tracer for every test of the file, registered as an application registers it. */
export function recordSpans(): TakeSpans {
  const exporter = new InMemorySpanExporter();
  beforeEach(() => {
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
  });
  afterEach(() => {
    trace.disable();
    exporter.reset();
  });
  return () => {
    const names = exporter.getFinishedSpans().map(({ name }: ReadableSpan) => name);
    exporter.reset();
    return names;
  };
}
