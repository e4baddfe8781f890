import { mayHoldPassword, printable } from "./outside-text.ts";

/** What went wrong, for programs. Compare `error.code`, not the message. */
export type PoolscopeErrorCode =
  | "POOLSCOPE_INVALID_OPTION"
  | "POOLSCOPE_INVALID_POOL"
  | "POOLSCOPE_DUPLICATE_NAME"
  | "POOLSCOPE_UNKNOWN_POOL"
  | "POOLSCOPE_READING_FAILED"
  | "POOLSCOPE_ALREADY_RECYCLED"
  | "POOLSCOPE_TOO_MANY_WAITING"
  | "POOLSCOPE_DRAINING"
  | "POOLSCOPE_LOAD_SHED"
  | "POOLSCOPE_SHUT_DOWN";

const brand: symbol = Symbol.for("poolscope.error");

/**
 * The only error class poolscope throws: from a constructor-time call that was given something wrong, as the rejection
 * of `readings()`, as that of a recycled pool's `connect()` where an option asks for it, and what `shedLoad()` hands to
 * the application's error handlers. `instanceof` holds across several installed copies of poolscope.
 */
export class PoolscopeError extends Error {
  /** A stable code, see {@link PoolscopeErrorCode}. */
  readonly code: PoolscopeErrorCode;

  constructor(code: PoolscopeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PoolscopeError";
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }
}

/**
 * The one formula of argument errors. Strings are quoted and cut; objects are named by their type alone, because an
 * object handed to the wrong place may hold a password.
 */
export function expected(
  option: string,
  expectation: string,
  given: unknown,
  code: PoolscopeErrorCode = "POOLSCOPE_INVALID_OPTION",
): PoolscopeError {
  return new PoolscopeError(code, `Expected \`${option}\` to be ${expectation}, got ${describe(given)}`);
}

/** The same formula for options whose value may be a secret: only the type of what was given is shown. */
export function expectedSecret(
  option: string,
  expectation: string,
  given: unknown,
  code: PoolscopeErrorCode = "POOLSCOPE_INVALID_OPTION",
): PoolscopeError {
  return new PoolscopeError(code, `Expected \`${option}\` to be ${expectation}, got ${typeName(given)}`);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `\`${value}\``;
  switch (typeof value) {
    case "string":
      // What looks like a connection string or a URL may hold a password, wherever it was put.
      if (mayHoldPassword(value)) return typeName(value);
      return `\`"${printable(value.length > 60 ? `${value.slice(0, 60)}…` : value)}"\` (string)`;
    case "number":
    case "boolean":
    case "bigint":
      return `\`${value}\` (${typeof value})`;
    default:
      return typeName(value);
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return `\`${value}\``;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") {
    const name = value.constructor?.name;
    return name && name !== "Object" ? `an object (${name})` : "an object";
  }
  return `a ${typeof value}`;
}
