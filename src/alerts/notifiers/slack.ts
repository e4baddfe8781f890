import type { SlackOptions } from "../../options.ts";
import type { Alert } from "../alert.ts";
import type { Notifier } from "../notifier.ts";
import { HttpNotifier, notifierOptions, sourceOption, urlOption } from "./http-notifier.ts";
import { shorten } from "./shorten.ts";

/** Of a text object: https://docs.slack.dev/reference/block-kit/composition-objects/text-object */
const MAX_TEXT = 3_000;
/** The escapes of Slack's markup: https://docs.slack.dev/messaging/formatting-message-text#escaping */
const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/**
 * Posts each alert to a Slack incoming webhook.
 *
 * @param url Of the incoming webhook. Secret: it is shown nowhere
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
 */
export function slack(url: string | undefined, options?: SlackOptions): Notifier {
  const resolved = notifierOptions<SlackOptions>(options);
  const source = sourceOption(resolved.source);
  return new HttpNotifier("slack", resolved, {
    url: urlOption("url", url, "slack()"),
    body: (alert) => message(alert, source),
  });
}

function message(alert: Alert, source: string): object {
  const word = alert.state === "firing" ? "FIRING" : "RESOLVED";
  const said = `[${word}] ${alert.summary}`;
  const facts = [
    `${alert.rule} of ${alert.pool}`,
    alert.severity,
    alert.service && `service ${alert.service}`,
    `since ${alert.since}`,
    `on ${source} (process ${process.pid})`,
  ];
  return {
    text: escaped(said),
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: escaped(said) } },
      { type: "context", elements: [{ type: "mrkdwn", text: escaped(facts.filter(Boolean).join(" · ")) }] },
    ],
  };
}

function escaped(text: string): string {
  return shorten(text, MAX_TEXT, (character) => ESCAPES[character] ?? character);
}
