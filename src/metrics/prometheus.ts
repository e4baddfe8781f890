import type { IncomingMessage, ServerResponse } from "node:http";
import { answers, isUnanswered } from "../answers.ts";
import { type Exchange, exchangeOf, sendShort, sendText } from "../http/send.ts";
import { shared } from "../http/shared.ts";
import { GrowingText } from "../http/text.ts";
import type { Logger } from "../logger.ts";
import type { MetricsSettings } from "./metrics-settings.ts";

/** The text exposition format. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN = "text/plain; charset=utf-8";

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
export function prometheusHandler(
  collect: () => Promise<Iterable<Buffer>>,
  { cacheMillis, isServed }: MetricsSettings,
  logger: Logger,
): HttpHandler {
  const answer = answers("scope.metrics()", logger);
  const textOf = shared(
    async () => new GrowingText(await collect()),
    cacheMillis,
    (text) => text.hasBeginning,
  );
  const answerWith = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return sendShort(request, response, 405, PLAIN, "poolscope: only GET and HEAD\n");
    }
    if (!isServed(request)) {
      return sendShort(request, response, 403, PLAIN, "poolscope: this host name is not served\n");
    }
    const exchange = await exchangeOf(request, response);
    if (exchange) await scrape(exchange);
  };
  const scrape = async (exchange: Exchange) => {
    const { request, response } = exchange;
    try {
      let text = await textOf();
      // A long one may have been read on since, and let go of.
      while (!text.hasBeginning) text = await textOf();
      if (isUnanswered(response)) await sendText(exchange, 200, CONTENT_TYPE, text);
    } catch {
      if (!isUnanswered(response)) return;
      sendShort(request, response, 503, PLAIN, "poolscope: the metrics could not be collected\n");
    }
  };
  return function poolscopeMetrics(request, response) {
    answer(response, () => answerWith(request, response));
  };
}
