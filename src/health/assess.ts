import type { PoolReading } from "../readings/pool-reading.ts";
import type { ThresholdSettings } from "../settings.ts";

/** How a pool is. */
export type PoolStatus = "healthy" | "warning" | "critical";

/** How a component of the whole is; `unknown` where nothing could be read. */
export type HealthStatus = PoolStatus | "unknown";

/** How everything together is: `degraded` where something is unknown and nothing is worse. */
export type OverallStatus = PoolStatus | "degraded";

/** A reading with a judgement. */
export interface AssessedReading extends PoolReading {
  readonly status: PoolStatus;
  /** One sentence a person can act on. */
  readonly verdict: string;
}

export function assess(reading: PoolReading, thresholds: ThresholdSettings): AssessedReading {
  return Object.freeze({
    ...reading,
    status: statusOf(reading.utilization, thresholds),
    verdict: verdictOf(reading),
  });
}

function statusOf(utilization: number, { warning, critical }: ThresholdSettings): PoolStatus {
  if (utilization >= critical) return "critical";
  if (utilization >= warning) return "warning";
  return "healthy";
}

function verdictOf({ pool, used, limit, waiting, oldestWaitSeconds, connecting }: PoolReading): string {
  let sentence = `${pool}: ${used}/${limit} in use`;
  if (connecting > 0) sentence += `, ${connecting} connecting`;
  if (waiting > 0) sentence += `, ${waiting} waiting (oldest ${oldestWaitSeconds.toFixed(1)} s)`;
  if (limit > 0 && used >= limit && waiting > 0) sentence += "; exhausted";
  return sentence;
}

export function worst(statuses: readonly PoolStatus[]): PoolStatus {
  if (statuses.includes("critical")) return "critical";
  return statuses.includes("warning") ? "warning" : "healthy";
}

/** Critical before warning before unknown (which makes the whole degraded) before healthy. */
export function overall(components: readonly HealthStatus[]): OverallStatus {
  const known = worst(components.filter((status) => status !== "unknown"));
  return known === "healthy" && components.includes("unknown") ? "degraded" : known;
}
