import type { SizeAdvice } from "../advice/size-advice.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import type { Settings, ThresholdSettings } from "../settings.ts";
import { type Diagnosis, diagnose } from "./diagnose.ts";
import { outageOf } from "./outage.ts";

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
  const stuckAfterSeconds = stuckAfterMillis / 1000;
  const circumstances = { eventLoopDelaySeconds, busyFrom: thresholds.warning, stuckAfterSeconds };
  return Object.freeze({
    ...reading,
    status: statusOf(reading, thresholds, stuckAfterSeconds),
    ...diagnose(reading, circumstances),
    ...(advice && { advice }),
  });
}

/** By usage; and whatever the usage, a pool that serves nobody is critical, and one that cannot connect a warning. */
function statusOf(
  reading: PoolReading,
  { warning, critical }: ThresholdSettings,
  stuckAfterSeconds: number,
): PoolStatus {
  const { utilization } = reading;
  if (utilization >= critical || outageOf(reading, stuckAfterSeconds)) return "critical";
  return utilization >= warning || reading.connectFailing ? "warning" : "healthy";
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
