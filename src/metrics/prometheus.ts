import type { IncomingMessage, ServerResponse } from "node:http";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { prometheusText } from "./prometheus-text.ts";

/** The text exposition format. */
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
      return send(request, response, 405, Buffer.from("poolscope: only GET and HEAD\n"));
    }
    try {
      send(request, response, 200, prometheusText(await collect()), CONTENT_TYPE);
    } catch {
      send(request, response, 503, Buffer.from("poolscope: the metrics could not be collected\n"));
    }
  };
  return function poolscopeMetrics(request, response) {
    void answer(request, response);
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: Buffer,
  type = "text/plain; charset=utf-8",
): void {
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", body.length);
  response.end(request.method === "HEAD" ? undefined : body);
}
