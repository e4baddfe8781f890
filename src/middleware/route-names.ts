import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { RouteRule } from "../options.ts";
import type { ExpressRequest } from "./express-shapes.ts";

/** Requests no route matched, and routes beyond `maxRoutes`. */
export const OTHER_ROUTE = "_OTHER";
const MAX_LENGTH = 255;

/** The routes of one scope: so many of them and no more. */
export class RouteNames {
  readonly #logger: Logger;
  readonly #seen = new Set<string>();
  readonly #complaints = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  bounded(given: string, max: number): string {
    const name = given.slice(0, MAX_LENGTH);
    if (name === OTHER_ROUTE || this.#seen.has(name)) return name;
    if (this.#seen.size < max) {
      this.#seen.add(name);
      return name;
    }
    this.#complain("maxRoutes", `there are more than ${max} routes (maxRoutes); the rest are ${OTHER_ROUTE}`);
    return OTHER_ROUTE;
  }

  /** What the application's own rule says; undefined: nothing usable. */
  chosen(rule: RouteRule, request: ExpressRequest): string | undefined {
    try {
      const name: unknown = rule(request);
      if (name === undefined || (typeof name === "string" && name !== "")) return name;
      // A promise among others, whose rejection has no other handler.
      detach(() => name);
      const given = name === "" ? "an empty string" : `a ${typeof name}`;
      this.#complain("the option route", `the option route returned ${given}`);
    } catch (error) {
      this.failed("the option route", error);
    }
    return undefined;
  }

  failed(what: string, error: unknown): void {
    this.#complain(what, `${what} threw: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** Once each: what fails does so for every request. */
  #complain(subject: string, what: string): void {
    if (this.#complaints.has(subject)) return;
    this.#complaints.add(subject);
    this.#logger.warn(`poolscope - routes(): ${what}`);
  }
}
