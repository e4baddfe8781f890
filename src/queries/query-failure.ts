import { errorClass, errorCode, errorMessage, OTHER_ERROR_TYPE } from "../error-type.ts";

const QUERY_TIMEOUT = "query_timeout";
const CONNECTION_LOST = "connection_lost";

/** Failures every pool shows from the start, at 0. */
export const KNOWN_QUERY_FAILURES: readonly string[] = [
  QUERY_TIMEOUT,
  CONNECTION_LOST,
  "57014", // query_canceled: `statement_timeout` among others
  "40001", // serialization_failure
  "40P01", // deadlock_detected
];

// The texts of pg 8.x: none of these errors carries a code. Regression tests hold these to the installed pg.
const TYPES_BY_MESSAGE: ReadonlyMap<string | undefined, string> = new Map([
  ["Query read timeout", QUERY_TIMEOUT],
  ["Connection terminated", CONNECTION_LOST],
  ["Connection terminated unexpectedly", CONNECTION_LOST],
  ["Client has encountered a connection error and is not queryable", CONNECTION_LOST],
  ["Client was closed and is not queryable", CONNECTION_LOST],
]);

/** Why a query failed, as its labels tell it. */
export interface QueryFailure {
  /** SQLSTATE, else Node's error code, else poolscope's own word, else the error's class. */
  readonly type: string;
  readonly statusCode: string | undefined;
}

export function queryFailure(error: unknown): QueryFailure {
  if (error instanceof ReportedFailure) return error;
  const type = errorCode(error) ?? TYPES_BY_MESSAGE.get(errorMessage(error)) ?? errorClass(error);
  return { type, statusCode: sqlState(error) };
}

/** A failure that somebody else saw, who does not give the error itself. What is unknown is undefined. */
export class ReportedFailure implements QueryFailure {
  readonly type: string;
  readonly statusCode: string | undefined;

  constructor(code: unknown, className: string | undefined, message: string | undefined) {
    const known = errorCode({ code });
    const namedClass = className !== undefined && /^\w{1,48}$/.test(className) ? className : OTHER_ERROR_TYPE;
    this.type = known ?? TYPES_BY_MESSAGE.get(message) ?? namedClass;
    // What pg names the errors of the server: https://github.com/brianc/node-postgres, DatabaseError.
    this.statusCode = known?.length === 5 && className === "error" ? known : undefined;
  }
}

/** The SQLSTATE, if it was the server that refused: only its errors have a severity. */
function sqlState(error: unknown): string | undefined {
  const code = errorCode(error);
  const { severity } = (error ?? {}) as { severity?: unknown };
  return code?.length === 5 && typeof severity === "string" ? code : undefined;
}
