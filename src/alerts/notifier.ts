import { errorClass, errorCode } from "../error-type.ts";
import type { DeliveryOptions } from "../options.ts";
import type { Alert, AlertSeverity } from "./alert.ts";

/**
 * Somebody to tell of alerts: `webhook()`, `slack()`, `pagerDuty()`, or an object of the application's own. poolscope
 * does the queueing, the timeout and the retries.
 */
export interface Notifier {
  /** Unique in a scope, 1 to 60 characters. Shown in logs and as the label `notifier`: no secrets. */
  readonly name: string;
  /** What is milder is not told. @default "warning" */
  readonly minSeverity?: AlertSeverity | undefined;
  /** How often and how long it is tried. */
  readonly delivery?: DeliveryOptions | undefined;
  /**
   * Tells of one alert that fires or is resolved, and resolves when that was accepted. When it rejects it is tried
   * again, unless the error has `isFinal: true`; `retryAfterMillis` of the error is waited for. Of errors only code and
   * class are logged.
   *
   * @param signal Aborted after `timeoutMillis`, and when the scope shuts down
   */
  notify(alert: Alert, signal: AbortSignal): Promise<void>;
}

/** Why a message did not get there. Its text is poolscope's own: nothing that was sent, and no address. */
export class DeliveryFailure extends Error {
  /** Trying again is useless. */
  readonly isFinal: boolean;
  readonly retryAfterMillis: number | undefined;

  constructor(reason: string, { isFinal = false, retryAfterMillis }: Partial<DeliveryHints> = {}) {
    super(reason);
    this.name = "DeliveryFailure";
    this.isFinal = isFinal;
    this.retryAfterMillis = retryAfterMillis;
  }
}

interface DeliveryHints {
  readonly isFinal: boolean;
  readonly retryAfterMillis: number | undefined;
}

/** Of errors that are not ours the text is not repeated: it may quote a URL or a header. */
export function failureOf(error: unknown): DeliveryFailure {
  if (error instanceof DeliveryFailure) return error;
  const { isFinal, retryAfterMillis, cause } = (error ?? {}) as Record<string, unknown>;
  return new DeliveryFailure(errorCode(error) ?? errorCode(cause) ?? errorClass(error), {
    isFinal: isFinal === true,
    retryAfterMillis:
      typeof retryAfterMillis === "number" && retryAfterMillis > 0 ? retryAfterMillis : undefined,
  });
}
