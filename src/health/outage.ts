import type { PoolReading } from "../readings/pool-reading.ts";

/** For how long a pool has served nobody, and since what: stuck, or without a connection. */
type Outage = readonly [kind: "down" | "stuck", seconds: number];

/**
 * Whether a pool serves nobody for a whole window: it is stuck, or connections cannot be had. Full is not stuck, and one
 * failure is not down.
 */
export function outageOf(
  { stalledSeconds, connectFailingSeconds }: PoolReading,
  windowSeconds: number,
): Outage | undefined {
  if (connectFailingSeconds >= windowSeconds) return ["down", connectFailingSeconds];
  return stalledSeconds >= windowSeconds ? ["stuck", stalledSeconds] : undefined;
}

/** Why no requests should be sent here, a sentence for each pool that serves nobody. */
export function outages(
  readings: readonly (PoolReading & { readonly verdict: string })[],
  windowSeconds: number,
): string[] {
  return readings.flatMap((reading) => {
    const outage = outageOf(reading, windowSeconds);
    if (!outage) return [];
    const [kind, seconds] = outage;
    const what = kind === "down" ? "no connection could be had" : "nothing was handed out or returned";
    return [`${reading.pool} is ${kind}: ${what} for ${seconds.toFixed(1)} s (${reading.verdict})`];
  });
}
