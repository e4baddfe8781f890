import type { SizeAdvice } from "../advice/size-advice.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import type { Settings, ThresholdSettings } from "../settings.ts";
import { type Diagnosis, diagnose } from "./diagnose.ts";

/** How a pool is. */
export type PoolStatus = "healthy" | "warning" | "critical";

/** How a component of the whole is; `unknown` where nothing could be read. */
export type HealthStatus = PoolStatus | "unknown";

/** How everything together is: `degraded` where something is unknown and nothing is worse. */
export type OverallStatus = PoolStatus | "degraded";

/** A reading with a judgement. */
export interface AssessedReading extends PoolReading, Diagnosis {
  readonly status: PoolStatus;
  /** How large the pool would have to be. Absent until enough was seen, and without samples. */
  readonly advice?: SizeAdvice;
}

export function assess(
  reading: PoolReading,
  { thresholds, stuckAfterMillis }: Pick<Settings, "thresholds" | "stuckAfterMillis">,
  eventLoopDelaySeconds: number,
  advice?: SizeAdvice,
): AssessedReading {
  return Object.freeze({
    ...reading,
    status: statusOf(reading.utilization, thresholds),
    ...diagnose(reading, {
      eventLoopDelaySeconds,
      busyFrom: thresholds.warning,
      stuckAfterSeconds: stuckAfterMillis / 1000,
    }),
    ...(advice && { advice }),
  });
}

function statusOf(utilization: number, { warning, critical }: ThresholdSettings): PoolStatus {
  if (utilization >= critical) return "critical";
  if (utilization >= warning) return "warning";
  return "healthy";
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
