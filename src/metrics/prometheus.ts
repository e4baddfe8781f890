import type { IncomingMessage, ServerResponse } from "node:http";
import type { MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { METER_NAME } from "./semconv.ts";

/** The text exposition format that the exporter's serializer writes. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A handler for Express, `node:http` and whatever takes the same arguments. */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/**
 * Answers GET and HEAD with what `collect` gives, as Prometheus text; with 503 and a line of text when it gives
 * nothing, so that Prometheus marks the scrape as failed instead of reading old numbers.
 */
export function prometheusHandler(collect: () => Promise<ResourceMetrics>): HttpHandler {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return send(response, 405, "poolscope: only GET and HEAD\n");
    }
    try {
      const text = await prometheusText(await collect());
      send(response, 200, request.method === "HEAD" ? "" : text, CONTENT_TYPE);
    } catch {
      send(response, 503, "poolscope: the metrics could not be collected\n");
    }
  };
  return function poolscopeMetrics(request, response) {
    void answer(request, response);
  };
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = "text/plain; charset=utf-8",
): void {
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", "no-store");
  response.end(body);
}

/** Poolscope's metrics under the names the Collector gives them, so that one dashboard serves both ways. */
export async function prometheusText(resourceMetrics: ResourceMetrics): Promise<string> {
  const { PrometheusSerializer } = await import("@opentelemetry/exporter-prometheus");
  const scopeMetrics = resourceMetrics.scopeMetrics
    .filter(({ scope }) => scope.name === METER_NAME)
    .map(({ scope, metrics }) => ({ scope, metrics: metrics.map(withUnitSuffix) }));
  const withoutScopeInfo = true;
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, withoutScopeInfo);
  return serializer.serialize({ ...resourceMetrics, scopeMetrics });
}

/**
 * The JavaScript exporter adds `_total` but no unit.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#metric-metadata-1
 */
function withUnitSuffix(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  const suffix = unit === "s" ? ".seconds" : unit === "1" ? ".ratio" : "";
  return { ...metric, descriptor: { ...metric.descriptor, name: name + suffix, unit: "" } };
}
