import { integerOption, objectOption } from "../check.ts";
import { expected } from "../errors.ts";
import type { ShedLoadOptions, SkipRule } from "../options.ts";
import type { ShedSettings } from "./shed-load.ts";

export function resolveShedLoadOptions(given: unknown): ShedSettings {
  const options = objectOption<ShedLoadOptions>("options", given, [
    "maxWaiting",
    "maxWaitMillis",
    "retryAfterSeconds",
    "statusCode",
    "pools",
    "skip",
    "onShed",
  ]);
  const { maxWaiting, statusCode = 503, pools, skip, onShed = "answer" } = options;
  if (statusCode !== 429 && statusCode !== 503) throw expected("statusCode", "503 or 429", statusCode);
  if (skip !== undefined && typeof skip !== "function") throw expected("skip", "a function", skip);
  if (onShed !== "answer" && onShed !== "next") throw expected("onShed", '"answer" or "next"', onShed);
  return {
    maxWaiting: maxWaiting === undefined ? undefined : integerOption("maxWaiting", maxWaiting, 0, { min: 1 }),
    maxWaitMillis: integerOption("maxWaitMillis", options.maxWaitMillis, 1_000, { min: 1 }),
    retryAfterSeconds: integerOption("retryAfterSeconds", options.retryAfterSeconds, 1, {
      min: 1,
      max: 86_400,
    }),
    statusCode,
    pools: resolvePools(pools),
    skip: skip as SkipRule | undefined,
    onShed,
  };
}

function resolvePools(given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given) || given.length === 0) throw expected("pools", "an array of pool names", given);
  given.forEach((name: unknown, index) => {
    if (typeof name !== "string") throw expected(`pools[${index}]`, "the name of a watched pool", name);
  });
  return [...given];
}
