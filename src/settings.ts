import type { Attributes, MeterProvider } from "@opentelemetry/api";
import type { InstrumentType } from "@opentelemetry/sdk-metrics";
import { type AlertSettings, resolveAlerts } from "./alerts/alert-settings.ts";
import { type NotifierSettings, resolveNotifiers } from "./alerts/notifier-settings.ts";
import {
  booleanOption,
  bucketsOption,
  fractionOption,
  hasMethods,
  integerOption,
  nameOption,
  objectOption,
} from "./check.ts";
import { expected, expectedSecret, PoolscopeError } from "./errors.ts";
import { defaultLogger, guardLogger, LEVELS, type Logger, silentLogger } from "./logger.ts";
import { type OtlpSettings, resolveOtlp } from "./metrics/otlp-settings.ts";
import { DELTA, HISTOGRAM } from "./metrics/sdk-values.ts";
import { OWN_ATTRIBUTES } from "./metrics/semconv.ts";
import type {
  HoldersOptions,
  MetricReaderLike,
  PoolscopeOptions,
  QueryName,
  QuerySource,
  ShutdownOptions,
  Thresholds,
  ViewsOptions,
  WatchOptions,
} from "./options.ts";
import { hasCredentials } from "./outside-text.ts";

/** The options, checked, with defaults and environment filled in. Everything behind the public API takes these. */
export interface Settings {
  readonly serviceName: string | undefined;
  /** The application's provider and reader; undefined: poolscope brings its own. */
  readonly host: HostSettings | undefined;
  readonly otlp: OtlpSettings | undefined;
  readonly logger: Logger;
  readonly thresholds: ThresholdSettings;
  readonly alerts: AlertSettings;
  readonly notifiers: readonly NotifierSettings[];
  readonly sampleIntervalMillis: number;
  readonly historySize: number;
  readonly collectTimeoutMillis: number;
  readonly leakAfterMillis: number;
  readonly looksForNesting: boolean;
  readonly stuckAfterMillis: number;
  /** 0: no advice. */
  readonly targetWaitMillis: number;
  /** 0: the budget is not compared by itself. */
  readonly processes: number;
  readonly queries: QuerySettings;
}

export interface HostSettings {
  readonly meterProvider: MeterProvider;
  readonly reader: MetricReaderLike;
}

export interface QuerySettings {
  readonly source: QuerySource;
  /** 0: no query is slow. */
  readonly slowMillis: number;
  readonly nameOf: QueryName | undefined;
  readonly maxNames: number;
  readonly durationBuckets: readonly number[] | undefined;
}

export interface ThresholdSettings {
  readonly warning: number;
  readonly critical: number;
}

export interface WatchSettings {
  readonly name: string | undefined;
  readonly poolSize: number | undefined;
  readonly attributes: Attributes;
  readonly codedTimeouts: boolean;
  /** Undefined: that of the scope. */
  readonly leakAfterMillis: number | undefined;
  readonly longHolds: readonly (string | RegExp)[];
}

export function resolveOptions(given: unknown, environment: NodeJS.ProcessEnv): Settings {
  const options = objectOption<PoolscopeOptions>("options", given, [
    "serviceName",
    "meterProvider",
    "reader",
    "otlp",
    "logger",
    "thresholds",
    "alerts",
    "notifiers",
    "sampleIntervalMillis",
    "historySize",
    "collectTimeoutMillis",
    "leakAfterMillis",
    "nestedCheckouts",
    "stuckAfterMillis",
    "processes",
    "targetWaitMillis",
    "queries",
    "slowQueryMillis",
    "queryName",
    "maxQueryNames",
    "queryDurationBuckets",
  ]);
  const logger = resolveLogger(options.logger);
  const host = resolveHost(options);
  const sampleIntervalMillis = integerOption("sampleIntervalMillis", options.sampleIntervalMillis, 10_000, {
    min: 10,
    orZero: true,
  });
  return {
    serviceName: nameOption("serviceName", options.serviceName, 255),
    host,
    otlp: resolveOtlp(options.otlp, host !== undefined, logger, environment),
    logger,
    thresholds: resolveThresholds(options.thresholds),
    alerts: resolveAlerts(options.alerts, sampleIntervalMillis),
    notifiers: resolveNotifiers(options.notifiers, sampleIntervalMillis),
    sampleIntervalMillis,
    historySize: integerOption("historySize", options.historySize, 100, { min: 1, max: 10_000 }),
    collectTimeoutMillis: integerOption("collectTimeoutMillis", options.collectTimeoutMillis, 2_000, {
      min: 1,
    }),
    leakAfterMillis: integerOption("leakAfterMillis", options.leakAfterMillis, 60_000, {
      min: 10,
      orZero: true,
    }),
    looksForNesting: resolveNesting(options.nestedCheckouts),
    stuckAfterMillis: integerOption("stuckAfterMillis", options.stuckAfterMillis, 5_000, { min: 1 }),
    processes: integerOption("processes", options.processes, 1, { min: 1, max: 100_000, orZero: true }),
    targetWaitMillis: integerOption("targetWaitMillis", options.targetWaitMillis, 10, {
      min: 1,
      orZero: true,
    }),
    queries: resolveQueries(options),
  };
}

export function resolveWatchOptions(given: unknown, poolMax: number): WatchSettings {
  const options = objectOption<WatchOptions>("options", given, [
    "name",
    "poolSize",
    "attributes",
    "codedTimeouts",
    "leakAfterMillis",
    "longHolds",
  ]);
  return {
    name: nameOption("name", options.name, 120),
    poolSize:
      options.poolSize === undefined
        ? undefined
        : integerOption("poolSize", options.poolSize, 0, { min: 1, max: poolMax }),
    attributes: resolveAttributes(options.attributes),
    codedTimeouts: booleanOption("codedTimeouts", options.codedTimeouts, false),
    leakAfterMillis:
      options.leakAfterMillis === undefined
        ? undefined
        : integerOption("leakAfterMillis", options.leakAfterMillis, 0, { min: 10, orZero: true }),
    longHolds: resolveLongHolds(options.longHolds),
  };
}

function resolveLongHolds(given: unknown): readonly (string | RegExp)[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw expected("longHolds", "a list of strings and regular expressions", given);
  given.forEach((place: unknown, index) => {
    const isPlace = place instanceof RegExp || (typeof place === "string" && place.trim() !== "");
    if (!isPlace) throw expected(`longHolds[${index}]`, "a part of a place or a regular expression", place);
  });
  return [...given];
}

export function resolveHoldersOptions(given: unknown): { readonly joinServer: boolean } {
  const { joinServer } = objectOption<HoldersOptions>("options", given, ["joinServer"]);
  return { joinServer: booleanOption("joinServer", joinServer, false) };
}

export function resolveShutdownOptions(given: unknown): { readonly timeoutMillis: number } {
  const options = objectOption<ShutdownOptions>("options", given, ["timeoutMillis"]);
  return { timeoutMillis: integerOption("timeoutMillis", options.timeoutMillis, 5_000, { min: 1 }) };
}

export function resolveFlushTimeout(given: number | undefined): number {
  return integerOption("timeoutMillis", given, 5_000, { min: 1 });
}

export function resolveViewsOptions(given: unknown): { readonly queries: QuerySource } {
  const { queries } = objectOption<ViewsOptions>("options", given, ["queries"]);
  return { queries: resolveQuerySource(queries) };
}

function resolveQuerySource(given: QuerySource = "poolscope"): QuerySource {
  if (["poolscope", "instrumentation-pg", "off"].includes(given)) return given;
  throw expected("queries", '"poolscope", "instrumentation-pg" or "off"', given);
}

function resolveQueries(options: PoolscopeOptions): QuerySettings {
  const { queryName: nameOf } = options;
  const source = resolveQuerySource(options.queries);
  if (nameOf !== undefined && typeof nameOf !== "function") throw expected("queryName", "a function", nameOf);
  return {
    source,
    slowMillis: integerOption("slowQueryMillis", options.slowQueryMillis, 1_000, { min: 1, orZero: true }),
    nameOf,
    maxNames: integerOption("maxQueryNames", options.maxQueryNames, 100, { min: 1, max: 1_000 }),
    durationBuckets: bucketsOption("queryDurationBuckets", options.queryDurationBuckets, 50),
  };
}

function resolveNesting(given: unknown): boolean {
  if (given === undefined || given === "off" || given === "warn") return given === "warn";
  throw expected("nestedCheckouts", '"off" or "warn"', given);
}

export function resolveLogger(logger: unknown): Logger {
  if (logger === undefined) return defaultLogger;
  if (logger === false) return silentLogger;
  if (hasMethods(logger, LEVELS)) return guardLogger(logger as Logger);
  const isObject = typeof logger === "object" && logger !== null;
  const missing = LEVELS.filter((level) => !hasMethods(logger, [level])).map((level) => `\`${level}\``);
  const hint = isObject && missing.length < LEVELS.length ? ` (missing: ${missing.join(", ")})` : "";
  const expectation = `false, or an object with the methods \`debug\`, \`info\`, \`warn\` and \`error\`${hint}`;
  throw expected("logger", expectation, logger);
}

function resolveHost({ meterProvider, reader }: PoolscopeOptions): Settings["host"] {
  if (meterProvider === undefined && reader === undefined) return undefined;
  if (!hasMethods(meterProvider, ["getMeter"])) {
    const expectation =
      meterProvider === undefined
        ? "a MeterProvider, because `reader` is given: add the provider it reads"
        : "a MeterProvider, as `new MeterProvider()` of @opentelemetry/sdk-metrics is one, with a method `getMeter`";
    throw expected("meterProvider", expectation, meterProvider);
  }
  if (!hasMethods(reader, ["collect"])) {
    throw expected(
      "reader",
      "a MetricReader of `meterProvider`: add one of the readers it was made with",
      reader,
    );
  }
  const select = reader?.selectAggregationTemporality as ((type: InstrumentType) => unknown) | undefined;
  if (select?.call(reader, HISTOGRAM) === DELTA) {
    throw expected(
      "reader",
      "a MetricReader with cumulative temporality: health needs running totals",
      "delta",
    );
  }
  return { meterProvider: meterProvider as MeterProvider, reader: reader as MetricReaderLike };
}

function resolveThresholds(given: unknown): ThresholdSettings {
  const options = objectOption<Thresholds>("thresholds", given, ["warning", "critical"]);
  const warning = fractionOption("thresholds.warning", options.warning, 0.75);
  const critical = fractionOption("thresholds.critical", options.critical, 0.9);
  if (warning < critical) return { warning, critical };
  throw expected("thresholds.warning", `below \`thresholds.critical\` (${critical})`, warning);
}

function resolveAttributes(given: unknown): Attributes {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw expected("attributes", "an object of strings, numbers and booleans", given);
  }
  for (const [key, value] of Object.entries(given)) {
    if (OWN_ATTRIBUTES.includes(key)) {
      throw new PoolscopeError(
        "POOLSCOPE_INVALID_OPTION",
        `Expected \`attributes\` to leave \`${key}\` out: poolscope sets it`,
      );
    }
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw expected(`attributes.${key}`, "a string, a number or a boolean", value);
    }
    // A URL is a fine label, but not with what stands between `://` and `@`.
    if (typeof value === "string" && hasCredentials(value)) {
      throw expectedSecret(`attributes.${key}`, "a label, not a connection string", value);
    }
  }
  return { ...given } as Attributes;
}
