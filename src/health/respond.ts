import type { IncomingMessage, ServerResponse } from "node:http";
import { getOrCreate } from "../get-or-create.ts";
import { preferredType } from "../http/accept.ts";
import { type HealthReport, healthJson } from "./health-json.ts";

const JSON_TYPE = "application/json";
const HEALTH_JSON_TYPE = "application/health+json";
const TYPES = [JSON_TYPE, HEALTH_JSON_TYPE] as const;

/**
 * Written with `node:http`'s own methods, so that nothing depends on the Express version or the settings of the
 * application the router is mounted in.
 */
export function sendReport(request: IncomingMessage, response: ServerResponse, report: HealthReport): void {
  // Whoever accepts neither gets JSON all the same: probes ask for the oddest things, and want the status code.
  const type = preferredType(request.headers.accept, TYPES) ?? JSON_TYPE;
  response.setHeader("Vary", "Accept");
  if (type === HEALTH_JSON_TYPE) send(request, response, report.code, healthJson(report), HEALTH_JSON_TYPE);
  else send(request, response, report.code, report.body, `${JSON_TYPE}; charset=utf-8`);
}

/** A refusal: nothing is said of health. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  code: 400 | 404 | 405,
  error: string,
): void {
  send(request, response, code, { error }, `${JSON_TYPE}; charset=utf-8`);
}

/** Of bodies that many probes share. */
const texts = new WeakMap<object, Buffer>();

function send(
  request: IncomingMessage,
  response: ServerResponse,
  code: number,
  body: object,
  type: string,
): void {
  const text = getOrCreate(texts, body, () => Buffer.from(`${JSON.stringify(body)}\n`));
  response.statusCode = code;
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", text.length);
  response.end(request.method === "HEAD" ? undefined : text);
}
