import { createHash } from "node:crypto";
import { expectedSecret } from "../../errors.ts";
import type { PagerDutyOptions } from "../../options.ts";
import type { Alert } from "../alert.ts";
import type { Notifier } from "../notifier.ts";
import { argumentMissing, HttpNotifier, notifierOptions, sourceOption, urlOption } from "./http-notifier.ts";
import { shorten } from "./shorten.ts";

// Events API v2: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
const URL_OF_EVENTS = "https://events.pagerduty.com/v2/enqueue";
const MAX_SUMMARY = 1_024;
const MAX_DEDUP_KEY = 255;

/**
 * Triggers a PagerDuty alert for each that fires, and resolves it: Events API v2.
 *
 * @param routingKey The integration key of an "Events API v2" integration. Secret: it is shown nowhere
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function pagerDuty(routingKey: string | undefined, options?: PagerDutyOptions): Notifier {
  if (routingKey === undefined) throw argumentMissing("pagerDuty()", "routingKey", "an integration key");
  if (typeof routingKey !== "string" || !/^[\w-]{1,255}$/.test(routingKey)) {
    throw expectedSecret("routingKey", "an integration key: letters and digits", routingKey);
  }
  const resolved = notifierOptions<PagerDutyOptions>(options, ["url"]);
  const source = sourceOption(resolved.source);
  return new HttpNotifier("pagerduty", resolved, {
    url: resolved.url === undefined ? URL_OF_EVENTS : urlOption("url", resolved.url),
    body: (alert) => ({ routing_key: routingKey, ...event(alert, source) }),
  });
}

function event(alert: Alert, source: string): object {
  const dedup_key = dedupKey(alert);
  if (alert.state === "resolved") return { event_action: "resolve", dedup_key };
  const { pool, rule, severity, value, threshold, since, service, summary } = alert;
  return {
    event_action: "trigger",
    dedup_key,
    client: "poolscope",
    payload: {
      summary: shorten(summary, MAX_SUMMARY),
      source,
      severity,
      timestamp: since,
      component: pool,
      ...(service !== undefined && { group: service }),
      class: rule,
      custom_details: { pool, rule, value, threshold, since, ...(service !== undefined && { service }) },
    },
  };
}

/** The same for the same service, pool and rule in every process and release. */
function dedupKey({ service = "", pool, rule }: Alert): string {
  const key = ["poolscope", service, pool, rule].map(encodeURIComponent).join("/");
  if (key.length <= MAX_DEDUP_KEY) return key;
  return `poolscope/${createHash("sha256").update(key).digest("hex")}`;
}
