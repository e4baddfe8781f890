import { expected, expectedSecret, PoolscopeError } from "./errors.ts";
import { nearName } from "./near-name.ts";
import { isPrintable, mayHoldPassword } from "./outside-text.ts";

/** An object with none but these keys; `undefined` counts as an empty one. */
export function objectOption<T extends object>(
  option: string,
  value: unknown,
  keys: readonly (keyof T & string)[],
): T {
  if (value === undefined) return {} as T;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    // Often it is a connection string or a URL, put where an object belongs.
    throw expectedSecret(option, `an object with ${list(keys)}`, value);
  }
  for (const key of Object.keys(value)) {
    if (!(keys as readonly string[]).includes(key)) throw unknownKey(option, value, key, keys);
  }
  return value as T;
}

function unknownKey(option: string, value: object, key: string, keys: readonly string[]): PoolscopeError {
  const expectation = `an object with no other keys than ${list(keys)}`;
  // A key that is no word may be a value that was put in the wrong place; an instance of a class is no list of options.
  if (!isPlain(value)) return expectedSecret(option, expectation, value);
  if (!/^\w{1,40}$/.test(key)) return expectedSecret(option, expectation, key);
  const near = nearName(key, keys);
  if (near === undefined) return expected(option, expectation, key);
  return new PoolscopeError(
    "POOLSCOPE_INVALID_OPTION",
    `Expected \`${option}\` to be an object without the key \`${key}\`: did you mean \`${near}\`?`,
  );
}

/** Also of another realm, as in tests of Jest. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export function fractionOption(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw expected(option, "a number in (0, 1]", value);
}

export function booleanOption(option: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw expected(option, "true or false", value);
}

export interface IntegerRange {
  readonly min: number;
  readonly max?: number;
  /** 0 is allowed besides the range: off. */
  readonly orZero?: boolean;
}

/** Node's timers take no more: a longer delay would fire at once. */
const LONGEST_TIMER_MILLIS = 2 ** 31 - 1;

export function integerOption(option: string, value: unknown, fallback: number, range: IntegerRange): number {
  const { min, max = LONGEST_TIMER_MILLIS, orZero = false } = range;
  if (value === undefined) return fallback;
  if (Number.isInteger(value)) {
    const number = value as number;
    if ((number >= min && number <= max) || (orZero && number === 0)) return number;
  }
  throw expected(option, `a whole number from ${min} to ${max}${orZero ? ", or 0" : ""}`, value);
}

/** Upper bounds of histogram buckets: positive and ascending. */
export function bucketsOption(
  option: string,
  value: unknown,
  maxLength: number,
): readonly number[] | undefined {
  if (value === undefined) return undefined;
  const expectation = `1 to ${maxLength} positive numbers in ascending order`;
  if (!Array.isArray(value) || value.length === 0 || value.length > maxLength) {
    throw expected(option, expectation, value);
  }
  value.forEach((bound: unknown, index) => {
    const isNumber = typeof bound === "number" && Number.isFinite(bound) && bound > 0;
    if (!isNumber) throw expected(`${option}[${index}]`, "a positive number", bound);
    if (index > 0 && bound <= value[index - 1]) {
      throw expected(`${option}[${index}]`, `above the one before it (${value[index - 1]})`, bound);
    }
  });
  return Object.freeze([...value]);
}

export function textOption(option: string, value: unknown, maxLength: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && value.trim() !== "" && value.length <= maxLength) return value;
  throw expected(option, `a string of 1 to ${maxLength} characters`, value);
}

/** A name becomes a label, a word of log lines and a part of pages. */
export function nameOption(option: string, value: unknown, maxLength: number): string | undefined {
  const name = textOption(option, value, maxLength);
  if (name === undefined) return undefined;
  if (mayHoldPassword(name)) throw expectedSecret(option, "a name, not a connection string", name);
  if (!isPrintable(name)) throw expected(option, "a name without control characters", name);
  return name;
}

/** An object that has these methods. */
export function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function");
}

function list(keys: readonly string[]): string {
  return keys.map((key) => `\`${key}\``).join(", ");
}
