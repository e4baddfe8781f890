import type { IncomingMessage, ServerResponse } from "node:http";
import { isUnanswered } from "../answers.ts";
import { preferredType } from "../http/accept.ts";
import { type Exchange, sendShort, sendText } from "../http/send.ts";
import { type Text, WholeText } from "../http/text.ts";
import { type HealthReport, healthJson } from "./health-json.ts";

const JSON_TYPE = "application/json";
const HEALTH_JSON_TYPE = "application/health+json";
const TYPES = [JSON_TYPE, HEALTH_JSON_TYPE] as const;

export async function sendReport(exchange: Exchange, report: HealthReport): Promise<void> {
  const { request, response } = exchange;
  if (!isUnanswered(response)) return;
  // Requests that accept neither get JSON all the same: probes ask for the oddest things, and want the status code.
  const type = preferredType(request.headers.accept, TYPES) ?? JSON_TYPE;
  response.setHeader("Vary", "Accept");
  await sendText(exchange, report.code, CONTENT_TYPES[type], textOf(report, type));
}

/** Refuses a request. The body holds the reason only. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  code: 400 | 403 | 404 | 405,
  error: string,
): void {
  if (!isUnanswered(response)) return;
  if (code === 405) response.setHeader("Allow", "GET, HEAD");
  sendShort(request, response, code, CONTENT_TYPES[JSON_TYPE], line({ error }));
}

const CONTENT_TYPES = { [JSON_TYPE]: `${JSON_TYPE}; charset=utf-8`, [HEALTH_JSON_TYPE]: HEALTH_JSON_TYPE };

/** Made once for each format: many probes share a report. */
function textOf(report: HealthReport, type: keyof typeof CONTENT_TYPES): Text {
  report.texts ??= {};
  report.texts[type] ??= new WholeText(type === JSON_TYPE ? `${report.json()}\n` : line(healthJson(report)));
  return report.texts[type];
}

function line(body: object): string {
  return `${JSON.stringify(body)}\n`;
}
