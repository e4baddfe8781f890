import { constants } from "node:os";
import { booleanOption, integerOption, objectOption } from "../check.ts";
import { expected, expectedSecret } from "../errors.ts";
import { type HostRule, resolveHosts } from "../http/hosts.ts";
import type {
  Component,
  DetailsRule,
  GracefulShutdownOptions,
  HealthOptions,
  PingOptions,
} from "../options.ts";
import type { ComponentSettings } from "./components.ts";

/** The options of `scope.health()`, checked and with defaults. */
export interface HealthSettings {
  readonly cacheMillis: number;
  readonly details: DetailsRule;
  readonly components: Readonly<Record<string, ComponentSettings>>;
  readonly ping: PingSettings | undefined;
  readonly isServed: HostRule;
}

export interface PingSettings {
  readonly timeoutMillis: number;
  readonly cacheMillis: number;
  /** Whether the application is not ready while a server does not answer. */
  readonly isNeeded: boolean;
}

export interface GracefulShutdownSettings {
  readonly signals: readonly NodeJS.Signals[];
  readonly delayMillis: number;
  readonly timeoutMillis: number;
  readonly exits: boolean;
}

export function resolveHealthOptions(given: unknown): HealthSettings {
  const options = objectOption<HealthOptions>("options", given, [
    "cacheMillis",
    "details",
    "components",
    "ping",
    "hosts",
  ]);
  return {
    cacheMillis: integerOption("cacheMillis", options.cacheMillis, 250, { min: 0 }),
    details: resolveDetails(options.details),
    components: resolveComponents(options.components),
    ping: resolvePing(options.ping),
    isServed: resolveHosts(options.hosts),
  };
}

export function resolveGracefulShutdownOptions(given: unknown): GracefulShutdownSettings {
  const options = objectOption<GracefulShutdownOptions>("options", given, [
    "signals",
    "delayMillis",
    "timeoutMillis",
    "exit",
  ]);
  return {
    signals: resolveSignals(options.signals),
    delayMillis: integerOption("delayMillis", options.delayMillis, 5_000, { min: 0 }),
    timeoutMillis: integerOption("timeoutMillis", options.timeoutMillis, 10_000, { min: 1 }),
    exits: booleanOption("exit", options.exit, true),
  };
}

function resolveDetails(given: unknown): DetailsRule {
  if (typeof given === "function") return given as DetailsRule;
  if (given === undefined || given === "never" || given === "always") return () => given === "always";
  throw expected("details", '"never", "always" or a function', given);
}

function resolveComponents(given: unknown): HealthSettings["components"] {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw expected("components", "an object of functions", given);
  }
  const resolved = Object.entries(given).map(([name, component]) => {
    if (name === "database" || name === "ping") {
      throw expected("components", "an object without the names `database` and `ping`", name);
    }
    return [name, resolveComponent(`components.${name}`, component)] as const;
  });
  return Object.fromEntries(resolved);
}

function resolveComponent(option: string, given: unknown): ComponentSettings {
  const component = typeof given === "function" ? { check: given } : given;
  if (typeof component !== "object" || component === null) {
    throw expectedSecret(option, "a function, or an object with a function `check`", given);
  }
  const options = objectOption<Component>(option, component, [
    "check",
    "timeoutMillis",
    "cacheMillis",
    "neededForReadiness",
  ]);
  if (typeof options.check !== "function") throw expected(`${option}.check`, "a function", options.check);
  return {
    check: options.check,
    timeoutMillis: integerOption(`${option}.timeoutMillis`, options.timeoutMillis, 500, { min: 1 }),
    cacheMillis: integerOption(`${option}.cacheMillis`, options.cacheMillis, 1_000, { min: 0 }),
    isNeeded: booleanOption(`${option}.neededForReadiness`, options.neededForReadiness, false),
  };
}

function resolvePing(given: unknown): PingSettings | undefined {
  if (given === undefined || given === false) return undefined;
  const options = objectOption<PingOptions>("ping", given === true ? {} : given, [
    "timeoutMillis",
    "cacheMillis",
    "neededForReadiness",
  ]);
  const isNeeded = booleanOption("ping.neededForReadiness", options.neededForReadiness, false);
  return {
    timeoutMillis: integerOption("ping.timeoutMillis", options.timeoutMillis, 500, { min: 1 }),
    // A probe mostly comes every ten seconds: an answer of the one before would delay it by a whole period.
    cacheMillis: integerOption("ping.cacheMillis", options.cacheMillis, isNeeded ? 1_000 : 5_000, { min: 0 }),
    isNeeded,
  };
}

const UNCATCHABLE = ["SIGKILL", "SIGSTOP"];

function resolveSignals(given: unknown): readonly NodeJS.Signals[] {
  if (given === undefined) return ["SIGTERM", "SIGINT"];
  if (!Array.isArray(given)) throw expected("signals", 'an array of signals like ["SIGTERM"]', given);
  for (const signal of given) {
    if (!(String(signal) in constants.signals)) throw expected("signals", "names of signals", signal);
    if (UNCATCHABLE.includes(signal))
      throw expected("signals", "signals that a process can listen to", signal);
  }
  return given as NodeJS.Signals[];
}
