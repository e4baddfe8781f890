import { setTimeout as delay } from "node:timers/promises";
import pRetry from "p-retry";
import { settled } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { DeliveryCounts } from "../metrics/scope-numbers.ts";
import { type Alert, SEVERITIES } from "./alert.ts";
import { DeliveryFailure, failureOf } from "./notifier.ts";
import type { NotifierSettings } from "./notifier-settings.ts";

/**
 * Tells one notifier, one message after the other in the order of their alerts, each until it was accepted or given up.
 * No timer of it keeps the process alive, and nobody waits for it.
 */
export class DeliveryQueue implements DeliveryCounts {
  readonly name: string;
  sent = 0;
  failed = 0;
  dropped = 0;

  readonly #settings: NotifierSettings;
  readonly #logger: Logger;
  readonly #over = new AbortController();
  readonly #waiting: Alert[] = [];
  #running: Promise<void> | undefined;
  #hasComplained = false;

  constructor(settings: NotifierSettings, logger: Logger) {
    this.name = settings.name;
    this.#settings = settings;
    this.#logger = logger;
  }

  add(alert: Alert): void {
    if (SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(this.#settings.minSeverity)) return;
    this.#waiting.push(alert);
    if (this.#waiting.length > this.#settings.delivery.queueSize) this.#makeRoom();
    this.#running ??= settled(() => this.#run());
  }

  /** Waits until all is sent, `timeoutMillis` at most; what is left then is dropped. */
  async end(timeoutMillis: number): Promise<void> {
    if (this.#running) {
      // Whoever shuts down waits for this, so this timer may keep the process alive.
      const limit = setTimeout(() => this.#over.abort(), timeoutMillis);
      await this.#running;
      clearTimeout(limit);
    }
    this.#over.abort();
    const left = this.#waiting.splice(0).length;
    this.dropped += left;
    if (left > 0) {
      this.#logger.warn(
        `poolscope - ${this.name} was not told of ${messages(left)} when the scope shut down`,
      );
    }
  }

  /**
   * What fired and was resolved (or the other way round) while both were waiting changes nothing for who is told: the
   * oldest such two go. Where there are none, the newest is not taken.
   */
  #makeRoom(): void {
    const waiting = this.#waiting;
    const first = waiting.findIndex((alert, index) =>
      waiting.slice(index + 1).some((later) => isSame(alert, later)),
    );
    const alert = waiting[first];
    if (alert) {
      waiting.splice(
        waiting.findIndex((later, index) => index > first && isSame(alert, later)),
        1,
      );
      waiting.splice(first, 1);
      this.dropped += 2;
    } else {
      waiting.pop();
      this.dropped++;
    }
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const { queueSize } = this.#settings.delivery;
    this.#logger.warn(
      `poolscope - messages to ${this.name} are dropped: ${queueSize} are waiting already (queueSize=${queueSize}); ` +
        "see poolscope.alerts.dropped",
    );
  }

  async #run(): Promise<void> {
    // Whoever adds an alert goes on first.
    await undefined;
    const { signal } = this.#over;
    try {
      while (!signal.aborted) {
        const alert = this.#waiting.shift();
        if (!alert) break;
        await this.#deliver(alert, signal);
      }
    } finally {
      if (this.#waiting.length === 0) this.#hasComplained = false;
      this.#running = undefined;
    }
  }

  async #deliver(alert: Alert, signal: AbortSignal): Promise<void> {
    const { retries, minBackoffMillis, maxBackoffMillis, maxRetryAfterMillis } = this.#settings.delivery;
    let attempts = 0;
    try {
      await pRetry(
        () => {
          attempts++;
          return this.#attempt(alert, signal);
        },
        {
          retries,
          minTimeout: minBackoffMillis,
          maxTimeout: maxBackoffMillis,
          randomize: true,
          unref: true,
          signal,
          shouldRetry: ({ error }) => !(error as DeliveryFailure).isFinal,
          onFailedAttempt: async ({ error, retriesLeft }) => {
            const { isFinal, retryAfterMillis = 0 } = error as DeliveryFailure;
            if (isFinal || retriesLeft === 0 || retryAfterMillis === 0) return;
            const millis = Math.min(retryAfterMillis, maxRetryAfterMillis);
            await delay(millis, undefined, { ref: false, signal });
          },
        },
      );
      this.sent++;
    } catch (error) {
      // `end` counts it with those that were waiting.
      if (signal.aborted) this.#waiting.unshift(alert);
      else this.#gaveUp(alert, attempts, error);
    }
  }

  /** One try. Ends with the timeout or the shutdown even where the notifier does not listen to its signal. */
  async #attempt(alert: Alert, over: AbortSignal): Promise<void> {
    const { notifier, delivery } = this.#settings;
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, delivery.timeoutMillis);
    timer.unref();
    over.addEventListener("abort", abort, { once: true });
    try {
      const aborted = new Promise<never>((_resolve, reject) => {
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      });
      await Promise.race([notifier.notify(alert, controller.signal), aborted]);
    } catch (error) {
      throw controller.signal.aborted
        ? new DeliveryFailure(`no answer within ${delivery.timeoutMillis} ms`)
        : failureOf(error);
    } finally {
      clearTimeout(timer);
      over.removeEventListener("abort", abort);
    }
  }

  #gaveUp({ pool, rule, state }: Alert, attempts: number, error: unknown): void {
    this.failed++;
    const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    this.#logger.warn(
      `poolscope - ${this.name} could not be told that ${rule} of ${pool} is ${state}: ` +
        `${failureOf(error).message} (${tries})`,
    );
  }
}

function isSame(a: Alert, b: Alert): boolean {
  return a.pool === b.pool && a.rule === b.rule;
}

function messages(count: number): string {
  return count === 1 ? "1 alert" : `${count} alerts`;
}
