import { integerOption, objectOption } from "../check.ts";
import { type HostRule, resolveHosts } from "../http/hosts.ts";
import type { MetricsOptions } from "../options.ts";

/** The options of `scope.metrics()`, checked and with defaults. */
export interface MetricsSettings {
  readonly cacheMillis: number;
  readonly isServed: HostRule;
}

export function resolveMetricsOptions(given: unknown): MetricsSettings {
  const options = objectOption<MetricsOptions>("options", given, ["cacheMillis", "hosts"]);
  return {
    cacheMillis: integerOption("cacheMillis", options.cacheMillis, 250, { min: 0 }),
    isServed: resolveHosts(options.hosts),
  };
}
