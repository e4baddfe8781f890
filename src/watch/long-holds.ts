import type { Hold } from "./hold.ts";

/** A part of a frame, such as the name of a package, or an expression that a frame matches. */
export type PlaceRule = string | RegExp;

/** Finds out which holds the application declared as long by their place. */
export class LongHolds {
  readonly #rules: readonly PlaceRule[];

  constructor(rules: readonly PlaceRule[]) {
    this.#rules = rules;
  }

  /** The rule that the place of a hold matches, as text. Compared once for each hold. */
  ruleOf(hold: Hold): string | undefined {
    if (this.#rules.length === 0 || !hold.site) return undefined;
    if (hold.longHold === undefined) {
      const { places } = hold.site;
      const rule = this.#rules.find((one) => places.some((frame) => matches(one, frame)));
      hold.longHold = rule === undefined ? null : String(rule);
    }
    return hold.longHold ?? undefined;
  }
}

function matches(rule: PlaceRule, frame: string): boolean {
  // `search` ignores the `lastIndex` that a global expression keeps between calls.
  return typeof rule === "string" ? frame.includes(rule) : frame.search(rule) >= 0;
}
