import type { Logger } from "../logger.ts";
import type { DeliveryCounts } from "../metrics/scope-numbers.ts";
import type { Alert } from "./alert.ts";
import { DeliveryQueue } from "./delivery-queue.ts";
import type { NotifierSettings } from "./notifier-settings.ts";

/** The notifiers of a scope, each with a queue of its own: a dead one is nobody else's affair. */
export class Deliveries {
  readonly #queues: readonly DeliveryQueue[];

  constructor(notifiers: readonly NotifierSettings[], logger: Logger) {
    this.#queues = notifiers.map((notifier) => new DeliveryQueue(notifier, logger));
  }

  get counts(): readonly DeliveryCounts[] {
    return this.#queues;
  }

  add(alert: Alert): void {
    for (const queue of this.#queues) queue.add(alert);
  }

  /** Waits until all is sent, `timeoutMillis` at most; what is left then is dropped. */
  async end(timeoutMillis: number): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.end(timeoutMillis)));
  }
}
