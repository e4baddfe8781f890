import type { Events } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { Alert } from "./alert.ts";
import type { Deliveries } from "./deliveries.ts";

/** Says what fires and what is resolved: one line in the log, one event, one message to each notifier. */
export class Announcer {
  readonly #logger: Logger;
  readonly #events: Events;
  readonly #deliveries: Deliveries;

  constructor(logger: Logger, events: Events, deliveries: Deliveries) {
    this.#logger = logger;
    this.#events = events;
    this.#deliveries = deliveries;
  }

  tell(alert: Alert): void {
    const isFiring = alert.state === "firing";
    this.#logger[isFiring && alert.severity !== "info" ? "warn" : "info"](alert.summary);
    this.#events.emit(isFiring ? "alert" : "alertResolved", alert);
    this.#deliveries.add(alert);
  }
}
