/**
 * What becomes the `error.type` label comes from closed or bounded sets: a SQLSTATE, a Node error code, one of
 * poolscope's own words, or an error class. Never a message.
 */

/** Where types are counted per pool, this many at most; the rest is `_OTHER`, the overflow name of semconv. */
const MAX_ERROR_TYPES = 20;
export const OTHER_ERROR_TYPE = "_OTHER";

/** Covers SQLSTATEs ("28P01") and Node's codes ("ECONNREFUSED", "ERR_TLS_CERT_ALTNAME_INVALID"). */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && /^[A-Z0-9_]{4,48}$/.test(code) ? code : undefined;
}

export function errorMessage(error: unknown): string | undefined {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : undefined;
}

/** For what carries no code: "TypeError". What is no object is told by its type. */
export function errorClass(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  const className = error.constructor?.name;
  return className && /^\w{1,48}$/.test(className) ? className : "Error";
}

/** Counts by `error.type`: {@link MAX_ERROR_TYPES} of them, then `_OTHER`. */
export class ErrorCounts {
  /** Some are there from the start, at 0, so that a first failure is an increase and not a new series. */
  readonly counts: Map<string, number>;

  constructor(known: readonly string[]) {
    this.counts = new Map(known.map((type) => [type, 0]));
  }

  /** @returns The type it was counted under. */
  count(type: string): string {
    const isKnown = this.counts.has(type) || this.counts.size < MAX_ERROR_TYPES;
    const counted = isKnown ? type : OTHER_ERROR_TYPE;
    this.counts.set(counted, (this.counts.get(counted) ?? 0) + 1);
    return counted;
  }
}

/** An error of the caller's own, with its own stack: several callers may fail for one reason. */
export function copyError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const copy = new Error(error.message);
  const { stack: _, ...own } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, own);
  return Object.setPrototypeOf(copy, Object.getPrototypeOf(error));
}
