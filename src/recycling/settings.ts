import { booleanOption, fractionOption, integerOption, objectOption } from "../check.ts";
import { expected } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RecycleOptions } from "../options.ts";
import { resolveLogger } from "../settings.ts";

/** {@link RecycleOptions}, checked, with defaults filled in. */
export type RecycleSettings = {
  readonly [K in keyof RecycleOptions]-?: K extends "logger" ? Logger : NonNullable<RecycleOptions[K]>;
};

type TransactionAtRelease = RecycleSettings["transactionAtRelease"];

const KEYS: readonly (keyof RecycleOptions)[] = [
  "pingAfterIdleMillis",
  "pingTimeoutMillis",
  "failuresToFlush",
  "maxLifetimeSeconds",
  "lifetimeJitter",
  "keepAliveSeconds",
  "evictReadOnly",
  "transactionAtRelease",
  "busyTimeoutMillis",
  "halfOpenGraceMillis",
  "keepOnSqlError",
  "dialRetryMillis",
  "maxWaiting",
  "codedTimeouts",
  "idleLimitSeconds",
  "logger",
];
const LONGEST_SECONDS = 30 * 24 * 3600;
const TRANSACTION_POLICIES = ["rollback", "destroy", "ignore"];

export function resolveRecycleOptions(given: unknown): RecycleSettings {
  const options = objectOption<RecycleOptions>("options", given, KEYS);
  const millis = (key: MillisKey, fallback: number, min: number, orZero = false) =>
    integerOption(key, options[key], fallback, { min, orZero });
  const seconds = (key: SecondsKey, fallback: number) =>
    integerOption(key, options[key], fallback, { min: 1, max: LONGEST_SECONDS, orZero: true });
  return {
    pingAfterIdleMillis: millis("pingAfterIdleMillis", 500, 0),
    pingTimeoutMillis: millis("pingTimeoutMillis", 1_000, 10),
    failuresToFlush: integerOption("failuresToFlush", options.failuresToFlush, 2, { min: 1, orZero: true }),
    maxLifetimeSeconds: seconds("maxLifetimeSeconds", 3_600),
    lifetimeJitter:
      options.lifetimeJitter === 0 ? 0 : fractionOption("lifetimeJitter", options.lifetimeJitter, 0.25),
    keepAliveSeconds: seconds("keepAliveSeconds", 0),
    evictReadOnly: booleanOption("evictReadOnly", options.evictReadOnly, true),
    transactionAtRelease: resolveTransactionAtRelease(options.transactionAtRelease),
    busyTimeoutMillis: millis("busyTimeoutMillis", 5_000, 10),
    halfOpenGraceMillis: millis("halfOpenGraceMillis", 500, 10),
    keepOnSqlError: booleanOption("keepOnSqlError", options.keepOnSqlError, true),
    dialRetryMillis: millis("dialRetryMillis", 5_000, 10, true),
    maxWaiting: resolveMaxWaiting(options.maxWaiting),
    codedTimeouts: booleanOption("codedTimeouts", options.codedTimeouts, true),
    idleLimitSeconds: seconds("idleLimitSeconds", 0),
    logger: resolveLogger(options.logger),
  } satisfies Record<keyof RecycleOptions, unknown> as RecycleSettings;
}

type MillisKey =
  | "pingAfterIdleMillis"
  | "pingTimeoutMillis"
  | "busyTimeoutMillis"
  | "halfOpenGraceMillis"
  | "dialRetryMillis";
type SecondsKey = "maxLifetimeSeconds" | "keepAliveSeconds" | "idleLimitSeconds";

/** 0 is a limit here, "nobody waits", and not "off". */
function resolveMaxWaiting(given: unknown): number {
  if (given === Number.POSITIVE_INFINITY) return given;
  return integerOption("maxWaiting", given, Number.POSITIVE_INFINITY, { min: 0 });
}

function resolveTransactionAtRelease(given: unknown): TransactionAtRelease {
  if (given === undefined) return "rollback";
  if (TRANSACTION_POLICIES.includes(given as string)) return given as TransactionAtRelease;
  throw expected("transactionAtRelease", '"rollback", "destroy" or "ignore"', given);
}
