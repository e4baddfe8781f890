/**
 * Names for why a connection could not be had. They become the `error.type` label, so they come from closed sets:
 * a SQLSTATE, a Node error code, one of poolscope's own words below, or an error class. Never a message.
 */
export const WAIT_TIMEOUT = "wait_timeout";
export const DIAL_TIMEOUT = "dial_timeout";

/** Failures every pool shows from the start, at 0, so that a first failure is an increase and not a new series. */
export const KNOWN_DIAL_FAILURES: readonly string[] = [
  DIAL_TIMEOUT,
  "ECONNREFUSED",
  "ENOTFOUND",
  "28P01", // invalid_password
  "53300", // too_many_connections
];

/** Where types are counted per pool, this many at most; the rest is `_OTHER`, the overflow name of semconv. */
export const MAX_ERROR_TYPES = 20;
export const OTHER_ERROR_TYPE = "_OTHER";

// The texts of pg-pool 3.x and pg 8.x. Neither error carries a code; regression tests hold these to the installed pg.
const WAIT_TIMEOUT_MESSAGE = "timeout exceeded when trying to connect";
const DIAL_TIMEOUT_MESSAGES = new Set(["Connection terminated due to connection timeout", "timeout expired"]);

/** A caller gave up: no client became free in time, or its connection took too long to open. Undefined: neither. */
export function timeoutType(error: unknown): typeof WAIT_TIMEOUT | typeof DIAL_TIMEOUT | undefined {
  const message = error instanceof Error ? error.message : undefined;
  if (message === WAIT_TIMEOUT_MESSAGE) return WAIT_TIMEOUT;
  if (message !== undefined && DIAL_TIMEOUT_MESSAGES.has(message)) return DIAL_TIMEOUT;
  return undefined;
}

/** SQLSTATE, else Node's error code, else poolscope's own word, else the error's class. */
export function errorType(error: unknown): string {
  if (timeoutType(error) === DIAL_TIMEOUT) return DIAL_TIMEOUT;
  if (typeof error !== "object" || error === null) return typeof error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  // Covers SQLSTATEs ("28P01") and Node's codes ("ECONNREFUSED", "ERR_TLS_CERT_ALTNAME_INVALID").
  if (typeof code === "string" && /^[A-Z0-9_]{4,48}$/.test(code)) return code;
  if (typeof message === "string" && message.startsWith("SASL")) return "sasl";
  const className = error.constructor?.name;
  return className && /^\w{1,48}$/.test(className) ? className : "Error";
}

/** The causes a person tells apart. */
export type DialFailureCause =
  | "dialTimeout"
  | "refused"
  | "unreachable"
  | "authentication"
  | "tooManyConnections"
  | "other";

export function failureCause(type: string): DialFailureCause {
  if (type === DIAL_TIMEOUT || type === "ETIMEDOUT") return "dialTimeout";
  if (type === "ECONNREFUSED") return "refused";
  if (/^(ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNRESET|ENOENT)$/.test(type)) return "unreachable";
  // Class 28 of SQLSTATE: invalid authorization specification.
  if (type === "sasl" || /^28[0-9A-Z]{3}$/.test(type)) return "authentication";
  if (type === "53300") return "tooManyConnections";
  return "other";
}
