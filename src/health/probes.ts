import type { Lifecycle } from "../lifecycle.ts";
import type { AssessedReading } from "./assess.ts";
import type { Components } from "./components.ts";
import type { DatabaseSource, HealthView } from "./database.ts";
import type { HealthReport } from "./health-json.ts";
import { outages } from "./outage.ts";

/** What `/live`, `/started` and `/ready` are made of. */
export interface Probes {
  readonly source: DatabaseSource;
  readonly components: Components;
  readonly lifecycle: Lifecycle;
  readonly stuckAfterSeconds: number;
}

type ProbeStatus = "live" | "started" | "starting" | "ready" | "not_ready" | "shutting_down";

/** The probes of an orchestrator, by path. https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
export function probeReports(
  probes: Probes,
): Readonly<Record<`/${string}`, (view: HealthView) => Promise<HealthReport>>> {
  return {
    // Whether the process answers. The database has no say here: restarting the application does not mend it.
    "/live": async () => report("live"),
    "/started": async () => (probes.lifecycle.isStarted ? report("started") : report("starting")),
    "/ready": (view) => ready(probes, view),
  };
}

async function ready(
  { source, components, lifecycle, stuckAfterSeconds }: Probes,
  { isVerbose }: HealthView,
): Promise<HealthReport> {
  if (lifecycle.isShuttingDown) return report("shutting_down", ["the application is shutting down"]);
  let readings: readonly AssessedReading[];
  try {
    readings = await source.read();
  } catch {
    // It is poolscope that cannot see: no reason to take the application out of service.
    return report("ready", [], { message: "the pools could not be read; see the log" });
  }
  const reasons = [...outages(readings, stuckAfterSeconds), ...(await components.failing())];
  const verdicts = readings.map(({ pool: name, status, condition, verdict }) => {
    return { name, status, condition, verdict };
  });
  return report(reasons.length === 0 ? "ready" : "not_ready", reasons, isVerbose ? { pools: verdicts } : {});
}

const FAILING: ReadonlySet<ProbeStatus> = new Set<ProbeStatus>(["starting", "not_ready", "shutting_down"]);

function report(status: ProbeStatus, reasons: readonly string[] = [], more: object = {}): HealthReport {
  const isFailing = FAILING.has(status);
  const body = {
    status,
    ...(reasons.length > 0 && { reasons }),
    ...more,
    timestamp: new Date().toISOString(),
  };
  return {
    code: isFailing ? 503 : 200,
    status: isFailing ? "critical" : "healthy",
    output: reasons.length > 0 ? reasons.join("; ") : undefined,
    json: () => JSON.stringify(body),
  };
}
