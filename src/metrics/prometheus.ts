import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { answers, isUnanswered } from "../answers.ts";
import type { Logger } from "../logger.ts";

/** The text exposition format. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A handler for Express, `node:http` and whatever takes the same arguments. */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/**
 * Answers GET and HEAD with the text that `collect` gives; with 503 and a line of text when it gives nothing, so that
 * Prometheus marks the scrape as failed instead of reading old numbers.
 */
export function prometheusHandler(collect: () => Promise<Iterable<Buffer>>, logger: Logger): HttpHandler {
  const answer = answers("scope.metrics()", logger);
  return function poolscopeMetrics(request, response) {
    answer(response, () => answerWith(collect, request, response));
  };
}

async function answerWith(
  collect: () => Promise<Iterable<Buffer>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return send(request, response, 405, Buffer.from("poolscope: only GET and HEAD\n"));
  }
  try {
    await sendText(request, response, await collect());
  } catch {
    // Nothing is sent where the text was cut off: Prometheus takes that for a failed scrape too.
    send(request, response, 503, Buffer.from("poolscope: the metrics could not be collected\n"));
  }
}

async function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  text: Iterable<Buffer>,
): Promise<void> {
  const pieces = text[Symbol.iterator]();
  const [first, second] = [pieces.next(), pieces.next()];
  if (second.done) return send(request, response, 200, first.value, CONTENT_TYPE);
  if (!isUnanswered(response)) return;
  begin(response, 200, CONTENT_TYPE);
  if (request.method === "HEAD") response.end();
  else await pipeline(spread([first.value, second.value], pieces), response);
}

/** Others have their turn after each piece: of a thousand pools the whole text is a tenth of a second's work. */
async function* spread(first: readonly Buffer[], others: Iterator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (let piece = others.next(); !piece.done; piece = others.next()) {
    yield piece.value;
    await setImmediate();
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: Buffer,
  type = "text/plain; charset=utf-8",
): void {
  if (!isUnanswered(response)) return;
  begin(response, status, type);
  if (status === 405) response.setHeader("Allow", "GET, HEAD");
  response.setHeader("Content-Length", body.length);
  response.end(request.method === "HEAD" ? undefined : body);
}

function begin(response: ServerResponse, status: number, type: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", "no-store");
}
