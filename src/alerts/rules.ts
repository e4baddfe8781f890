import type { AssessedReading } from "../health/assess.ts";
import type { Condition } from "../health/diagnose.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import type { AlertRule, AlertSeverity } from "./alert.ts";
import type { AlertSettings, CountLimits, Limits } from "./alert-settings.ts";
import { CountWindow } from "./count-window.ts";
import { UnexplainedFailures } from "./unexplained-failures.ts";

/** Measures one pool from one sample to the next. Undefined: this sample cannot tell, and nothing changes. */
export type Meter = (reading: AssessedReading, at: number) => number | undefined;

export interface Rule extends Limits {
  readonly name: AlertRule;
  readonly severity: AlertSeverity;
  /** A new one for each pool: counts need a memory. */
  meter(): Meter;
  /** What is the matter. */
  entered(reading: AssessedReading, value: number): string;
  /** That it is over. @param last The last reading in which it was not */
  left(reading: AssessedReading, value: number, last: AssessedReading): string;
}

/** What the sentences of the rules quote besides readings. */
export interface Knobs {
  readonly leakAfterMillis: number;
  /** Of one pool; undefined where it has none of its own. */
  leakAfterMillisOf?(pool: string): number | undefined;
  readonly slowQueryMillis: number;
  readonly stuckAfterMillis: number;
}

const DOWN: ReadonlySet<Condition> = new Set([
  "server_unreachable",
  "authentication_failed",
  "too_many_connections",
]);

/** The rules that are switched on. The severest first: what explains the rest is told before it. */
export function rulesFrom(settings: AlertSettings, knobs: Knobs): Rule[] {
  const { usage, overflow, waiting, timeouts, leaks, connectFailures, slowQueries } = settings;
  const { stuck, down, eventLoop, longRunning } = settings;
  const rules = [
    down && downRule(down),
    stuck && stuckRule(stuck, knobs.stuckAfterMillis / 1000),
    eventLoop && eventLoopRule(eventLoop),
    timeouts && timeoutsRule(timeouts),
    connectFailures && connectFailuresRule(connectFailures, down),
    usage && usageRule(usage),
    overflow && overflowRule(overflow),
    waiting && waitingRule(waiting),
    leaks && leaksRule(leaks, knobs),
    longRunning && longRunningRule(longRunning, knobs),
    slowQueries && slowQueriesRule(slowQueries, knobs.slowQueryMillis),
  ];
  return rules.filter((rule) => rule !== undefined);
}

function usageRule(limits: Limits): Rule {
  return {
    ...limits,
    name: "usage",
    severity: "warning",
    meter: () => (reading) => reading.utilization,
    entered: (reading) => `usage high ${percent(reading)}; raise max or look for long holds`,
    left: (reading) => `usage back to normal ${percent(reading)}`,
  };
}

function overflowRule(limits: Limits): Rule {
  return {
    ...limits,
    name: "overflow",
    severity: "info",
    meter: () => (reading) => reading.overflow,
    entered: (reading, value) =>
      `${value} in use beyond the pool size of ${reading.poolSize} ${percent(reading)}`,
    left: (reading, value) =>
      value === 0
        ? `none in use beyond the pool size of ${reading.poolSize} any more ${percent(reading)}`
        : `only ${value} in use beyond the pool size of ${reading.poolSize} ${percent(reading)}`,
  };
}

function waitingRule(limits: Limits): Rule {
  return {
    ...limits,
    name: "waiting",
    severity: "warning",
    meter: () => (reading) => (isBlocked(reading) ? undefined : reading.oldestWaitSeconds),
    entered: (reading, value) =>
      `callers wait for long: ${reading.waiting} queued, the oldest for ${value.toFixed(1)} s ` +
      `${numbers(reading)}; raise max or shorten holds`,
    left: (reading, value) =>
      reading.waiting === 0
        ? `nobody waits any more ${numbers(reading)}`
        : `callers do not wait for long any more: ${reading.waiting} queued, the oldest for ${value.toFixed(1)} s ${numbers(reading)}`,
  };
}

function timeoutsRule(limits: CountLimits): Rule {
  const within = inWindow(limits);
  return {
    ...limits,
    name: "timeouts",
    severity: "error",
    meter: () => counting(limits, ({ timeouts }) => timeouts),
    entered: (reading, value) =>
      `${value} ${value === 1 ? "caller" : "callers"} gave up ${within} (since the watch began ${reading.waitTimeouts} waiting, ` +
      `${reading.dialTimeouts} while their connection was opened) ${numbers(reading)}; ` +
      "raise max, shorten holds, or raise connectionTimeoutMillis of the pool",
    left: (reading, value) =>
      `${fewer(value, limits, "caller gave up", "callers gave up")} ${numbers(reading)}`,
  };
}

function leaksRule(limits: Limits, knobs: Knobs): Rule {
  return {
    ...limits,
    name: "leaks",
    severity: "warning",
    meter: () => (reading) => reading.suspects.length,
    entered: (reading, value) =>
      `${value} suspected ${value === 1 ? "leak" : "leaks"} ${numbers(reading)}; ` +
      `release connections in a finally block ${leakKnob(reading, knobs)}`,
    left: (reading, value) =>
      `${value === 0 ? "no" : `only ${value}`} suspected ${value === 1 ? "leak" : "leaks"} any more ${numbers(reading)}`,
  };
}

function longRunningRule(limits: Limits, knobs: Knobs): Rule {
  return {
    ...limits,
    name: "longRunning",
    severity: "info",
    meter: () => (reading) => reading.longRunning.length,
    entered: (reading, value) =>
      `${value} long running ${value === 1 ? "hold" : "holds"} at work ${numbers(reading)} ${leakKnob(reading, knobs)}`,
    left: (reading, value) =>
      `${value === 0 ? "no" : `only ${value}`} long running ${value === 1 ? "hold" : "holds"} any more ${numbers(reading)}`,
  };
}

function leakKnob({ pool }: PoolReading, { leakAfterMillis, leakAfterMillisOf }: Knobs): string {
  return `(leakAfterMillis=${leakAfterMillisOf?.(pool) ?? leakAfterMillis})`;
}

/** @param down Undefined: it is switched off, and no failure is told by it */
function connectFailuresRule(limits: CountLimits, down: Limits | undefined): Rule {
  const within = inWindow(limits);
  return {
    ...limits,
    name: "connectFailures",
    severity: "error",
    meter: () => {
      if (!down) return counting(limits, ({ connectFailures }) => connectFailures);
      const failures = new UnexplainedFailures(down.forMillis);
      const window = new CountWindow(limits.windowMillis);
      return (reading, at) => {
        const count = failures.count(reading, at);
        return count === undefined ? undefined : window.grow(at, count);
      };
    },
    entered: (reading, value) =>
      `${value} failed ${value === 1 ? "attempt" : "attempts"} to connect ${within} ${numbers(reading)}; ` +
      "see poolscope.pool.connect_failures for the causes",
    left: (reading, value) =>
      `${fewer(value, limits, "failed attempt to connect", "failed attempts to connect")} ${numbers(reading)}`,
  };
}

function slowQueriesRule(limits: CountLimits, slowQueryMillis: number): Rule {
  const within = inWindow(limits);
  const knob = `(slowQueryMillis=${slowQueryMillis})`;
  return {
    ...limits,
    name: "slowQueries",
    severity: "warning",
    meter: () => counting(limits, ({ slowQueries = 0 }) => slowQueries),
    entered: (_reading, value) =>
      `${value} slow ${value === 1 ? "query" : "queries"} ${within} ${knob}; see scope.slowQueries()`,
    left: (_reading, value) => `${fewer(value, limits, "slow query", "slow queries")} ${knob}`,
  };
}

/** Not while another condition explains that nothing moves: then it is as it was. */
function stuckRule(limits: Limits, stuckAfterSeconds: number): Rule {
  const isDeadlock = ({ condition }: AssessedReading) => /deadlock$/.test(condition);
  const word = (reading: AssessedReading) => words(isDeadlock(reading) ? reading.condition : "stuck");
  return {
    ...limits,
    name: "stuck",
    severity: "critical",
    meter: () => (reading) => {
      if (isBlocked(reading) || reading.connectFailing !== undefined) return undefined;
      return Number(isDeadlock(reading) || reading.stalledSeconds >= stuckAfterSeconds);
    },
    entered: (reading) => `${word(reading)} (${reading.verdict})`,
    left: (reading, _value, last) => `no longer ${word(last)} (${reading.verdict})`,
  };
}

function downRule(limits: Limits): Rule {
  return {
    ...limits,
    name: "down",
    severity: "critical",
    meter: () => (reading) => (isBlocked(reading) ? undefined : Number(DOWN.has(reading.condition))),
    entered: (reading) => `${words(reading.condition)} (${reading.verdict})`,
    left: (reading, _value, last) => `no longer ${words(last.condition)} (${reading.verdict})`,
  };
}

function eventLoopRule(limits: Limits): Rule {
  return {
    ...limits,
    name: "eventLoop",
    severity: "warning",
    meter: () => (reading) => Number(isBlocked(reading)),
    entered: (reading) => `event loop stalled (${reading.verdict})`,
    left: (reading) => `no longer event loop stalled (${reading.verdict})`,
  };
}

/** Times are the process's own then, and say nothing of the pool. */
function isBlocked({ condition }: AssessedReading): boolean {
  return condition === "event_loop_stalled";
}

function counting({ windowMillis }: CountLimits, count: (reading: AssessedReading) => number): Meter {
  const window = new CountWindow(windowMillis);
  return (reading, at) => window.grow(at, count(reading));
}

function inWindow({ windowMillis }: CountLimits): string {
  return `within ${windowMillis / 1000} s`;
}

function fewer(value: number, limits: CountLimits, one: string, many: string): string {
  if (value === 0) return `no ${one} ${inWindow(limits)}`;
  return `only ${value} ${value === 1 ? one : many} ${inWindow(limits)}`;
}

function words(condition: Condition): string {
  return condition.replaceAll("_", " ");
}

function percent(reading: PoolReading): string {
  return `${Math.round(reading.utilization * 100)}% ${numbers(reading)}`;
}

function numbers({ total, used, idle, waiting, limit }: PoolReading): string {
  return `(total=${total}, used=${used}, idle=${idle}, waiting=${waiting}, max=${limit})`;
}
