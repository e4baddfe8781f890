import type { AssessedReading } from "../health/assess.ts";
import type { Condition } from "../health/diagnose.ts";
import type { Logger } from "../logger.ts";

/** Conditions that others speak of: usage alerts of those that come and go under load, each leak of itself. */
const QUIET: ReadonlySet<Condition> = new Set(["ok", "busy", "exhausted", "leak_suspected"]);

/** Says once that something is the matter with a pool, once when it is something else, and once that it is over. */
export class ConditionWatcher {
  readonly #logger: Logger;
  readonly #said = new Map<string, Condition>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  look(readings: readonly AssessedReading[]): void {
    for (const { pool, condition, verdict } of readings) {
      const said = this.#said.get(pool);
      if (QUIET.has(condition)) {
        this.#said.delete(pool);
        if (said) this.#logger.info(`${pool} - no longer ${said.replaceAll("_", " ")} (${verdict})`);
      } else if (said !== condition) {
        this.#said.set(pool, condition);
        this.#logger.warn(`${pool} - ${condition.replaceAll("_", " ")} (${verdict})`);
      }
    }
  }

  /** A new pool of an old name has no condition yet. */
  forget(pool: string): void {
    this.#said.delete(pool);
  }
}
