import { errorClass, errorCode, errorMessage } from "../error-type.ts";

/** Why a connection could not be had, in the words that become the `error.type` label, see {@link errorCode}. */
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
export function dialErrorType(error: unknown): string {
  if (timeoutType(error) === DIAL_TIMEOUT) return DIAL_TIMEOUT;
  return errorCode(error) ?? (errorMessage(error)?.startsWith("SASL") ? "sasl" : errorClass(error));
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
