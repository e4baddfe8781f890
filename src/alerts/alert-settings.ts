import { fractionOption, integerOption, objectOption } from "../check.ts";
import { expected } from "../errors.ts";
import type { AlertOptions, AlertThreshold } from "../options.ts";
import type { AlertRule } from "./alert.ts";

/** When a rule begins, and when it ends. */
export interface Limits {
  readonly enter: number;
  /** Over below it. */
  readonly leave: number;
  readonly forMillis: number;
}

/** Of something that is counted: how much the count grows within a window. */
export interface CountLimits extends Limits {
  readonly windowMillis: number;
}

type CountRule = "timeouts" | "connectFailures" | "slowQueries";

/** Undefined: switched off. */
export type AlertSettings = Readonly<
  Record<Exclude<AlertRule, CountRule>, Limits | undefined> & Record<CountRule, CountLimits | undefined>
>;

/** Something holds (1) or does not (0). */
const HOLDS = { enter: 1, leave: 1 };
const DEFAULT_WINDOW_MILLIS = 60_000;

/** @param sampleMillis The time between two samples: rules that need it twice hold three samples in a row */
export function resolveAlerts(given: unknown, sampleMillis: number): AlertSettings {
  const options = objectOption<AlertOptions>("alerts", given, [
    "usage",
    "overflow",
    "waiting",
    "timeouts",
    "leaks",
    "longRunning",
    "connectFailures",
    "slowQueries",
    "stuck",
    "down",
    "eventLoop",
  ]);
  return {
    usage: threshold(
      "usage",
      options,
      { enter: 0.8, leave: 0.75, forMillis: 2 * sampleMillis },
      fractionOption,
    ),
    overflow: threshold("overflow", options, { ...HOLDS, forMillis: 0 }, wholeNumber),
    waiting: waiting(options, 2 * sampleMillis),
    timeouts: count("timeouts", options, HOLDS),
    leaks: threshold("leaks", options, { ...HOLDS, forMillis: 0 }, wholeNumber),
    longRunning: threshold("longRunning", options, { ...HOLDS, forMillis: 0 }, wholeNumber),
    connectFailures: count("connectFailures", options, { enter: 3, leave: 1 }),
    slowQueries: count("slowQueries", options, { enter: 10, leave: 5 }),
    stuck: holding("stuck", options, 0),
    down: holding("down", options, sampleMillis),
    eventLoop: holding("eventLoop", options, 0),
  };
}

type Check = (option: string, value: unknown, fallback: number) => number;

const wholeNumber: Check = (option, value, fallback) => integerOption(option, value, fallback, { min: 1 });
const millis: Check = (option, value, fallback) => integerOption(option, value, fallback, { min: 0 });

function threshold(
  rule: "usage" | "overflow" | "leaks" | "longRunning",
  options: AlertOptions,
  defaults: Limits,
  check: Check,
): Limits | undefined {
  const given = options[rule];
  if (given === false) return undefined;
  const keys = ["enter", "leave", "forMillis"] as const;
  const option = `alerts.${rule}`;
  return limits(option, objectOption<AlertThreshold>(option, given, keys), defaults, check);
}

function count(
  rule: CountRule,
  options: AlertOptions,
  defaults: Omit<Limits, "forMillis">,
): CountLimits | undefined {
  const given = options[rule];
  if (given === false) return undefined;
  const option = `alerts.${rule}`;
  const keys = ["enter", "leave", "forMillis", "windowMillis"] as const;
  const { windowMillis, ...rest } = objectOption<Partial<CountLimits>>(option, given, keys);
  return {
    ...limits(option, rest, { ...defaults, forMillis: 0 }, wholeNumber),
    windowMillis: integerOption(`${option}.windowMillis`, windowMillis, DEFAULT_WINDOW_MILLIS, { min: 1 }),
  };
}

function limits(option: string, given: AlertThreshold, defaults: Limits, check: Check): Limits {
  const enter = check(`${option}.enter`, given.enter, defaults.enter);
  const leave = check(`${option}.leave`, given.leave, Math.min(defaults.leave, enter));
  if (leave > enter) throw expected(`${option}.leave`, `at most \`${option}.enter\` (${enter})`, leave);
  return { enter, leave, forMillis: millis(`${option}.forMillis`, given.forMillis, defaults.forMillis) };
}

function waiting({ waiting: given }: AlertOptions, defaultForMillis: number): Limits | undefined {
  if (given === false) return undefined;
  const keys = ["enterMillis", "leaveMillis", "forMillis"] as const;
  const options = objectOption<NonNullable<typeof given>>("alerts.waiting", given, keys);
  const range = { min: 1 };
  const enter = integerOption("alerts.waiting.enterMillis", options.enterMillis, 1_000, range);
  const leave = integerOption("alerts.waiting.leaveMillis", options.leaveMillis, Math.min(500, enter), range);
  if (leave > enter) {
    throw expected("alerts.waiting.leaveMillis", `at most \`alerts.waiting.enterMillis\` (${enter})`, leave);
  }
  const forMillis = millis("alerts.waiting.forMillis", options.forMillis, defaultForMillis);
  return { enter: enter / 1000, leave: leave / 1000, forMillis };
}

function holding(
  rule: "stuck" | "down" | "eventLoop",
  options: AlertOptions,
  defaultForMillis: number,
): Limits | undefined {
  const given = options[rule];
  if (given === false) return undefined;
  const { forMillis } = objectOption<Pick<AlertThreshold, "forMillis">>(`alerts.${rule}`, given, [
    "forMillis",
  ]);
  return { ...HOLDS, forMillis: millis(`alerts.${rule}.forMillis`, forMillis, defaultForMillis) };
}
