import type { Text } from "../http/text.ts";
import type { HealthStatus, OverallStatus } from "./assess.ts";
import type { ComponentHealth } from "./components.ts";
import type { PoolSummary } from "./database.ts";

/** What an endpoint has to say, in either format. */
export interface HealthReport {
  readonly code: 200 | 503;
  readonly status: HealthStatus | OverallStatus;
  /** Why it is not healthy. */
  readonly output?: string | undefined;
  readonly pools?: readonly PoolSummary[];
  readonly components?: Readonly<Record<string, ComponentHealth>>;
  /** As `application/json`. */
  json(): string;
  /** By content type, once it was sent. */
  texts?: Partial<Record<string, Text>>;
}

type CheckStatus = "pass" | "warn" | "fail";

interface Check {
  readonly componentId?: string;
  readonly componentType: "datastore" | "component";
  readonly observedValue?: number;
  readonly observedUnit?: string;
  readonly status: CheckStatus;
  readonly time?: string;
  readonly output?: string;
}

/**
 * The same as `application/health+json`, of which a draft was all there ever was:
 * https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06
 */
export function healthJson({ status, output, pools = [], components = {} }: HealthReport): object {
  const checks: Record<string, readonly Check[]> = {};
  for (const pool of pools) Object.assign(checks, checksOf(pool));
  for (const [name, { status, message }] of Object.entries(components)) {
    const check = { componentType: "component", status: checkStatus(status) } as const;
    checks[name] = [message === undefined ? check : { ...check, output: message }];
  }
  return {
    status: checkStatus(status),
    ...(output !== undefined && { output }),
    ...(Object.keys(checks).length > 0 && { checks }),
  };
}

function checksOf(pool: PoolSummary): Record<string, readonly Check[]> {
  const { name, timestamp: time, verdict } = pool;
  const status = checkStatus(pool.status);
  const check = (observedValue: number, observedUnit: string, more: Partial<Check>): readonly Check[] => [
    {
      componentId: name,
      componentType: "datastore",
      observedValue,
      observedUnit,
      status: "pass",
      time,
      ...more,
    },
  ];
  const why = status === "pass" ? {} : { output: verdict };
  return {
    [`${name}:utilization`]: check(pool.usage_percent, "percent", { status, ...why }),
    [`${name}:connections`]: check(pool.in_use, "connections", {}),
    [`${name}:pending`]: check(pool.pending, "requests", { status: pool.pending > 0 ? "warn" : "pass" }),
    ...(pool.wait_seconds.p95 !== undefined && {
      [`${name}:waitTime`]: check(pool.wait_seconds.p95 * 1000, "ms", {}),
    }),
  };
}

function checkStatus(status: HealthReport["status"]): CheckStatus {
  if (status === "healthy") return "pass";
  return status === "critical" ? "fail" : "warn";
}
