import type { WebhookOptions } from "../../options.ts";
import type { Notifier } from "../notifier.ts";
import { HttpNotifier, headersOption, notifierOptions, sourceOption, urlOption } from "./http-notifier.ts";

/** Of the body, for who reads it. It changes when a field changes its meaning or goes. */
const VERSION = 1;

/**
 * Posts each alert as JSON: `{ version: 1, source, pid, … }` with the fields of {@link Alert}.
 *
 * @param url Secret: it is shown nowhere
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function webhook(url: string | undefined, options?: WebhookOptions): Notifier {
  const resolved = notifierOptions<WebhookOptions>(options, ["headers"]);
  const source = sourceOption(resolved.source);
  return new HttpNotifier("webhook", resolved, {
    url: urlOption("url", url, "webhook()"),
    headers: headersOption("headers", resolved.headers),
    body: (alert) => ({ version: VERSION, source, pid: process.pid, ...alert }),
  });
}
