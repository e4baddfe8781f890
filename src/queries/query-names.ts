import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { QueryName } from "../options.ts";
import type { GivenQuery } from "./query-text.ts";

const OTHER_SUMMARY = "_OTHER";
/** The longest `db.query.summary` of the semantic conventions. */
const MAX_LENGTH = 255;

/** Names for queries, from the application's own function: `db.query.summary`, so many of them and no more. */
export class QueryNames {
  readonly #nameOf: QueryName;
  readonly #max: number;
  readonly #logger: Logger;
  readonly #seen = new Set<string>();
  #hasComplained = false;

  constructor(nameOf: QueryName, max: number, logger: Logger) {
    this.#nameOf = nameOf;
    this.#max = max;
    this.#logger = logger;
  }

  of(query: GivenQuery): string | undefined {
    if (query === null || query === undefined) return undefined;
    try {
      const name: unknown = this.#nameOf(typeof query === "string" ? { text: query } : query);
      return name === undefined ? undefined : this.#bounded(name);
    } catch (error) {
      this.#complain(`threw: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  #bounded(given: unknown): string | undefined {
    if (typeof given !== "string" || given === "") {
      // A promise among others, whose rejection has no other handler.
      detach(() => given);
      this.#complain(`returned ${given === "" ? "an empty string" : `a ${typeof given}`}, not a name`);
      return undefined;
    }
    const name = given.slice(0, MAX_LENGTH);
    if (this.#seen.has(name)) return name;
    if (this.#seen.size >= this.#max) {
      this.#complain(`gave more than ${this.#max} names (maxQueryNames); the rest are ${OTHER_SUMMARY}`);
      return OTHER_SUMMARY;
    }
    this.#seen.add(name);
    return name;
  }

  /** Once: a function that fails does so for every query. */
  #complain(what: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#logger.warn(`poolscope - the option queryName ${what}`);
  }
}
