import { hasMethods, integerOption, nameOption, objectOption } from "../check.ts";
import { expected, expectedSecret } from "../errors.ts";
import type { DeliveryOptions } from "../options.ts";
import { type AlertSeverity, SEVERITIES } from "./alert.ts";
import type { Notifier } from "./notifier.ts";

/** How messages to one notifier are sent, checked and with defaults. */
export interface DeliverySettings {
  readonly timeoutMillis: number;
  readonly retries: number;
  readonly minBackoffMillis: number;
  readonly maxBackoffMillis: number;
  readonly maxRetryAfterMillis: number;
  readonly queueSize: number;
}

export interface NotifierSettings {
  readonly notifier: Notifier;
  /** `name` of the notifier as it was when the scope was made. */
  readonly name: string;
  readonly minSeverity: AlertSeverity;
  readonly delivery: DeliverySettings;
}

export const DELIVERY_KEYS: readonly (keyof DeliverySettings)[] = [
  "timeoutMillis",
  "retries",
  "minBackoffMillis",
  "maxBackoffMillis",
  "maxRetryAfterMillis",
  "queueSize",
];

const MAX_NAME_LENGTH = 60;

export function resolveNotifiers(given: unknown, sampleIntervalMillis: number): readonly NotifierSettings[] {
  if (given === undefined) return [];
  // They may hold secrets, and URLs may stand where notifiers belong.
  if (!Array.isArray(given)) throw expectedSecret("notifiers", "an array of notifiers", given);
  const notifiers = given.map((notifier: unknown, index) => resolveNotifier(`notifiers[${index}]`, notifier));
  notifiers.forEach(({ name }, index) => {
    if (notifiers.findIndex((other) => other.name === name) === index) return;
    throw expected(`notifiers[${index}].name`, "unique among the notifiers: give it another `name`", name);
  });
  if (notifiers.length > 0 && sampleIntervalMillis === 0) {
    throw expected("sampleIntervalMillis", "above 0: without samples `notifiers` are told nothing", 0);
  }
  return notifiers;
}

function resolveNotifier(option: string, given: unknown): NotifierSettings {
  if (!hasMethods(given, ["notify"])) {
    throw expectedSecret(
      option,
      "a notifier: `webhook()`, `slack()`, `pagerDuty()`, or `{ name, notify }`",
      given,
    );
  }
  const notifier = given as Notifier;
  const name = notifierName(`${option}.name`, notifier.name);
  if (name === undefined) throw expected(`${option}.name`, "a string of 1 to 60 characters", name);
  const delivery = objectOption<DeliveryOptions>(`${option}.delivery`, notifier.delivery, DELIVERY_KEYS);
  return {
    notifier,
    name,
    minSeverity: severityOption(`${option}.minSeverity`, notifier.minSeverity),
    delivery: resolveDelivery(delivery, `${option}.delivery.`),
  };
}

/** A URL is a secret, without its scheme too: `hooks.slack.com/services/…`. */
export function notifierName(option: string, given: unknown): string | undefined {
  if (typeof given === "string" && given.includes("/")) {
    throw expectedSecret(option, "a name, not a URL", given);
  }
  return nameOption(option, given, MAX_NAME_LENGTH);
}

export function severityOption(option: string, given: unknown): AlertSeverity {
  if (given === undefined) return "warning";
  if (SEVERITIES.includes(given as AlertSeverity)) return given as AlertSeverity;
  throw expected(option, '"info", "warning", "error" or "critical"', given);
}

/** @param prefix Of the options' names in errors */
export function resolveDelivery(options: DeliveryOptions, prefix = ""): DeliverySettings {
  const whole = (key: keyof DeliverySettings, fallback: number, min: number, max?: number) =>
    integerOption(`${prefix}${key}`, options[key], fallback, max === undefined ? { min } : { min, max });
  const minBackoffMillis = whole("minBackoffMillis", 1_000, 1);
  const maxBackoffMillis = whole("maxBackoffMillis", Math.max(30_000, minBackoffMillis), 1);
  if (maxBackoffMillis < minBackoffMillis) {
    throw expected(
      `${prefix}maxBackoffMillis`,
      `at least \`${prefix}minBackoffMillis\` (${minBackoffMillis})`,
      maxBackoffMillis,
    );
  }
  return {
    timeoutMillis: whole("timeoutMillis", 5_000, 1),
    retries: whole("retries", 5, 0, 100),
    minBackoffMillis,
    maxBackoffMillis,
    maxRetryAfterMillis: whole("maxRetryAfterMillis", 60_000, 0),
    queueSize: whole("queueSize", 100, 1, 10_000),
  };
}
