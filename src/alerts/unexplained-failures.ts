import type { AssessedReading } from "../health/assess.ts";

/**
 * Failed attempts to connect, less those of outages that `down` has told of: one outage is one alert. What failed for a
 * shorter time than `down` needs is counted when it is over.
 */
export class UnexplainedFailures {
  readonly #downForMillis: number;
  #explained = 0;
  /** The count before the attempts that fail now. */
  #before = 0;
  #failingSince: number | undefined;
  #isTold = false;

  constructor(downForMillis: number) {
    this.#downForMillis = downForMillis;
  }

  /** Undefined while it is open whose they are. */
  count({ connectFailures, connectFailing }: AssessedReading, at: number): number | undefined {
    if (connectFailing !== undefined) {
      this.#failingSince ??= at;
      this.#isTold ||= at - this.#failingSince >= this.#downForMillis;
      return undefined;
    }
    if (connectFailures < this.#before) this.#explained = 0;
    else if (this.#isTold) this.#explained += connectFailures - this.#before;
    this.#before = connectFailures;
    this.#failingSince = undefined;
    this.#isTold = false;
    return connectFailures - this.#explained;
  }
}
