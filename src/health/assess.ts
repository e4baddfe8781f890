import type { PoolReading } from "../readings/pool-reading.ts";
import type { ThresholdSettings } from "../settings.ts";

/** How a pool is: `unknown` while it has not been read. */
export type HealthStatus = "healthy" | "warning" | "critical" | "unknown";

/** How everything together is: `degraded` where something is unknown and nothing is worse. */
export type OverallStatus = "healthy" | "warning" | "critical" | "degraded";

/** A reading with a judgement. */
export interface AssessedReading extends PoolReading {
  readonly status: HealthStatus;
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

function statusOf(utilization: number, { warning, critical }: ThresholdSettings): HealthStatus {
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

/** Critical before warning before unknown before healthy. */
export function worst(statuses: readonly HealthStatus[]): HealthStatus {
  const order: readonly HealthStatus[] = ["critical", "warning", "unknown"];
  return order.find((status) => statuses.includes(status)) ?? "healthy";
}

export function overall(components: readonly HealthStatus[]): OverallStatus {
  const status = worst(components);
  return status === "unknown" ? "degraded" : status;
}
