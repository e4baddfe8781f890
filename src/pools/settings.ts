import { integerOption, objectOption } from "../check.ts";
import { expected } from "../errors.ts";
import type { DrainOptions, SizedPoolOptions, WarmOptions } from "../options.ts";

const LONGEST_SECONDS = 30 * 24 * 3600;

export function resolveDrainOptions(given: unknown): { readonly timeoutMillis: number } {
  const options = objectOption<DrainOptions>("options", given, ["timeoutMillis"]);
  return { timeoutMillis: integerOption("timeoutMillis", options.timeoutMillis, 10_000, { min: 1 }) };
}

export function resolveWarmOptions(
  given: unknown,
  min: number,
  max: number,
): { readonly connections: number } {
  const options = objectOption<WarmOptions>("options", given, ["connections"]);
  return {
    connections: integerOption("connections", options.connections, Math.min(min, max), { min: 0, max }),
  };
}

export function resolveSizedPoolOptions(given: unknown): Required<SizedPoolOptions> & {
  poolSize: number;
  maxOverflow: number;
  timeoutSeconds: number;
  recycleSeconds: number;
} {
  const options = objectOption<SizedPoolOptions>("options", given, [
    "poolSize",
    "maxOverflow",
    "timeoutSeconds",
    "recycleSeconds",
  ]);
  const max = 100_000;
  const recycle = options.recycleSeconds === -1 ? 0 : options.recycleSeconds;
  return {
    poolSize: integerOption("poolSize", options.poolSize, 5, { min: 1, max }),
    maxOverflow: integerOption("maxOverflow", options.maxOverflow, 10, { min: 0, max }),
    timeoutSeconds: secondsOption("timeoutSeconds", options.timeoutSeconds, 30),
    recycleSeconds: integerOption("recycleSeconds", recycle, 0, {
      min: 1,
      max: LONGEST_SECONDS,
      orZero: true,
    }),
  };
}

/** SQLAlchemy takes fractions of a second too. */
function secondsOption(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= 0 && value <= LONGEST_SECONDS) return value;
  throw expected(option, `a number from 0 to ${LONGEST_SECONDS}`, value);
}
