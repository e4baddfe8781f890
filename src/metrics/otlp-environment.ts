import type { Logger } from "../logger.ts";
import type { OtlpTemporality } from "../options.ts";
import { wordFrom } from "../outside-text.ts";

/**
 * What OpenTelemetry's environment variables say about pushing metrics. Endpoint, headers, TLS and compression are
 * read by the exporter itself.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
type Environment = NodeJS.ProcessEnv;

/** Whether the environment asks for a push. The SDK's default would be yes; poolscope wants to be asked. */
export function wantsOtlp(environment: Environment, logger: Logger): boolean {
  if (read(environment, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return false;
  const exporters = read(environment, "OTEL_METRICS_EXPORTER")
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (exporters === undefined || exporters.length === 0) {
    return (
      read(environment, "OTEL_EXPORTER_OTLP_ENDPOINT") !== undefined ||
      read(environment, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") !== undefined
    );
  }
  // `prometheus` is what scope.metrics() serves anyway.
  const unsupported = exporters.filter((name) => !["otlp", "prometheus", "none"].includes(name));
  if (unsupported.length > 0) {
    logger.warn(
      `poolscope - OTEL_METRICS_EXPORTER: ${wordOf(unsupported.join(", "))} is not supported; use otlp or prometheus`,
    );
  }
  return exporters.includes("otlp");
}

export interface OtlpEnvironment {
  readonly exportIntervalMillis: number;
  readonly exportTimeoutMillis: number;
  readonly temporality: OtlpTemporality;
}

/** Values that make no sense are named in a warning and ignored, as the specification asks. */
export function otlpEnvironment(environment: Environment, hasUrl: boolean, logger: Logger): OtlpEnvironment {
  const protocol = firstSet(environment, [
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
  ]);
  if (protocol && protocol.value !== "http/protobuf") {
    const word = wordOf(protocol.value);
    logger.warn(
      `poolscope - ${protocol.variable}: ${word} is not supported; metrics go by http/protobuf (port 4318 of a Collector)`,
    );
  }
  const endpoint = firstSet(environment, [
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
  ]);
  // OpenTelemetry's exporter puts such a value out of the way without a line: it may hold a password.
  if (endpoint && !hasUrl && !isHttpUrl(endpoint.value)) {
    logger.warn(
      `poolscope - ${endpoint.variable}: expected an http:// or https:// URL; metrics will not arrive where it was meant`,
    );
  }
  const millis = (variable: string, fallback: number): number => {
    const value = read(environment, variable);
    if (value === undefined) return fallback;
    if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
    logger.warn(
      `poolscope - ${variable}: expected whole milliseconds of 1 or more, got "${wordOf(value)}"; using ${fallback}`,
    );
    return fallback;
  };
  return {
    exportIntervalMillis: millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
    exportTimeoutMillis: millis("OTEL_METRIC_EXPORT_TIMEOUT", 30_000),
    temporality: temporality(environment, logger),
  };
}

function temporality(environment: Environment, logger: Logger): OtlpTemporality {
  const variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
  const value = read(environment, variable)?.toLowerCase() ?? "cumulative";
  if (value === "cumulative" || value === "delta" || value === "lowmemory") return value;
  logger.warn(
    `poolscope - ${variable}: expected cumulative, delta or lowmemory, got "${wordOf(value)}"; using cumulative`,
  );
  return "cumulative";
}

/** A variable may hold anything, a URL with its password among others. */
function wordOf(value: string): string {
  return wordFrom(value) ?? "…";
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function firstSet(
  environment: Environment,
  variables: readonly string[],
): { readonly variable: string; readonly value: string } | undefined {
  for (const variable of variables) {
    const value = read(environment, variable);
    if (value !== undefined) return { variable, value };
  }
  return undefined;
}

/** An empty variable is an unset one. */
function read(environment: Environment, variable: string): string | undefined {
  return environment[variable]?.trim() || undefined;
}
