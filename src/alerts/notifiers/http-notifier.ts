import { hostname } from "node:os";
import { context, createContextKey } from "@opentelemetry/api";
import { objectOption, textOption } from "../../check.ts";
import { expectedSecret, PoolscopeError } from "../../errors.ts";
import type { NotifierOptions } from "../../options.ts";
import type { Alert, AlertSeverity } from "../alert.ts";
import { DeliveryFailure, failureOf, type Notifier } from "../notifier.ts";
import {
  DELIVERY_KEYS,
  type DeliverySettings,
  notifierName,
  resolveDelivery,
  severityOption,
} from "../notifier-settings.ts";
import { retryAfterMillis } from "./retry-after.ts";

/** Where alerts are posted, and in which shape. Everything in it may be a secret. */
interface Receiver {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  body(alert: Alert): object;
}

/**
 * Posts alerts as JSON, with Node's own `fetch`. What it must not tell is in private fields: they are in no JSON and in
 * no inspection.
 */
export class HttpNotifier implements Notifier {
  readonly name: string;
  readonly minSeverity: AlertSeverity;
  readonly delivery: DeliverySettings;
  readonly #receiver: Receiver;

  constructor(name: string, options: NotifierOptions, receiver: Receiver) {
    this.name = notifierName("name", options.name) ?? name;
    this.minSeverity = severityOption("minSeverity", options.minSeverity);
    this.delivery = Object.freeze(resolveDelivery(options));
    this.#receiver = receiver;
    Object.freeze(this);
  }

  async notify(alert: Alert, signal: AbortSignal): Promise<void> {
    const { url, headers, body } = this.#receiver;
    const response = await untraced(() =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body(alert)),
        // Not followed: the secrets would go to another host.
        redirect: "manual",
        signal,
      }).catch((error: unknown) => {
        // Its text and cause may name the host.
        throw failureOf(error);
      }),
    );
    // What it says does not matter, and it may never end.
    response.body?.cancel().catch(() => {});
    if (!response.ok) throw refusal(response);
  }
}

/** The request is wrong and stays wrong, but for a few: https://www.rfc-editor.org/rfc/rfc9110#section-15.5 */
function refusal({ status, headers }: Response): DeliveryFailure {
  const isFinal = status < 500 && status !== 408 && status !== 429;
  const after = status === 429 || status === 503 ? retryAfterMillis(headers.get("Retry-After")) : undefined;
  return new DeliveryFailure(`answered ${status}`, { isFinal, retryAfterMillis: after });
}

// As in suppressTracing() of @opentelemetry/core: a span of the application's would have the URL as an attribute.
const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

function untraced<T>(request: () => T): T {
  return context.with(context.active().setValue(SUPPRESS_TRACING, true), request);
}

/** The options all notifiers share, and those of one. */
export function notifierOptions<T extends NotifierOptions>(
  given: unknown,
  more: readonly (keyof T & string)[] = [],
): T {
  return objectOption<T>("options", given, ["name", "minSeverity", "source", ...DELIVERY_KEYS, ...more]);
}

/** The instance that a message is of: ten replicas send ten messages of the same pool. */
export function sourceOption(given: unknown): string {
  return textOption("source", given, 255) ?? hostname();
}

/**
 * Of a URL nothing is shown: its path is often the secret.
 *
 * @param notifier Named where the URL is its first argument
 */
export function urlOption(option: string, given: unknown, notifier?: string): string {
  if (given === undefined && notifier !== undefined) throw argumentMissing(notifier, option, "a URL");
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw expectedSecret(option, "an http:// or https:// URL", given);
  }
  if (url.username || url.password) {
    throw expectedSecret(option, "a URL without user and password, which fetch does not take", given);
  }
  return url.href;
}

/** Most often the argument is a variable of the environment. */
export function argumentMissing(notifier: string, option: string, expectation: string): PoolscopeError {
  return new PoolscopeError(
    "POOLSCOPE_INVALID_OPTION",
    `Expected \`${option}\` of \`${notifier}\` to be ${expectation}, got \`undefined\`: is the environment variable that it is read from set?`,
  );
}

export function headersOption(option: string, given: unknown): Record<string, string> {
  if (given === undefined) return {};
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  if (isObject && Object.values(given).every((value) => typeof value === "string")) {
    try {
      return Object.fromEntries(new Headers(given as Record<string, string>));
    } catch {
      // Not what may stand in a header.
    }
  }
  throw expectedSecret(option, "an object of strings that may stand in headers", given);
}
