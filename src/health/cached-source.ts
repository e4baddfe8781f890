import type { AssessedReading } from "./assess.ts";
import type { DatabaseSource } from "./database.ts";

/** A storm of probes costs one reading per `cacheMillis`. Failures are not kept: the next probe tries again. */
export function cached(source: DatabaseSource, cacheMillis: number): DatabaseSource {
  let latest: { readonly at: number; readonly readings: Promise<AssessedReading[]> } | undefined;
  return {
    read() {
      if (latest && performance.now() - latest.at < cacheMillis) return latest.readings;
      const entry = { at: performance.now(), readings: source.read() };
      entry.readings.catch(() => {
        if (latest === entry) latest = undefined;
      });
      latest = entry;
      return entry.readings;
    },
    history: source.history.bind(source),
    slowQueries: source.slowQueries.bind(source),
    alerts: source.alerts.bind(source),
  };
}
