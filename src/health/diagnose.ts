import type { ConnectFailures, LeakSuspect, PoolDeadlock, PoolReading } from "../readings/pool-reading.ts";

/** What is the matter with a pool, if anything. */
export type Condition =
  | "ok"
  | "busy"
  | "exhausted"
  | "stuck"
  | "leak_suspected"
  | "long_running"
  | "self_deadlock"
  | "deadlock"
  | "server_unreachable"
  | "authentication_failed"
  | "too_many_connections"
  | "event_loop_stalled";

/** What a diagnosis looks at besides the reading. */
export interface Circumstances {
  readonly eventLoopDelaySeconds: number;
  /** From this utilization on a pool is busy. */
  readonly busyFrom: number;
  /** From this long without movement on, while callers wait, a pool is stuck. */
  readonly stuckAfterSeconds: number;
}

export interface Diagnosis {
  readonly condition: Condition;
  /** One sentence: the pool, its numbers, and what to do. */
  readonly verdict: string;
}

const STALLED_FROM_SECONDS = 1;

/** The worst condition that the numbers show; a suspected leak is named beside what is worse. */
export function diagnose(reading: PoolReading, circumstances: Circumstances): Diagnosis {
  const [condition, finding] = find(reading, circumstances);
  const parts = [numbers(reading), finding, ...longHolds(reading, condition)];
  return { condition, verdict: parts.filter(Boolean).join("; ") };
}

function find(reading: PoolReading, circumstances: Circumstances): [Condition, string] {
  const { used, limit, waiting, stalledSeconds, utilization } = reading;
  const { eventLoopDelaySeconds: delay } = circumstances;
  if (delay >= STALLED_FROM_SECONDS) {
    const blocked = `the event loop was blocked for ${delay.toFixed(1)} s`;
    return [
      "event_loop_stalled",
      `${blocked}: look for synchronous work, the pool is not to blame for its times`,
    ];
  }
  if (reading.connectFailing) return describeFailure(reading.connectFailing, reading.connectFailures);
  if (reading.connectFailingSeconds >= circumstances.stuckAfterSeconds) {
    const hanging = `connections have not opened for ${reading.connectFailingSeconds.toFixed(1)} s`;
    return ["server_unreachable", `${hanging}: see network, and set connectionTimeoutMillis`];
  }
  if (reading.deadlock && reading.deadlock.seconds >= circumstances.stuckAfterSeconds) {
    return describeDeadlock(reading.deadlock, used);
  }
  if (stalledSeconds >= circumstances.stuckAfterSeconds) {
    const nothing = `stuck: nothing was handed out or returned for ${stalledSeconds.toFixed(1)} s`;
    return ["stuck", nothing + whyStuck(reading)];
  }
  if (used >= limit && waiting > 0) return ["exhausted", "exhausted: raise max or look for long holds"];
  if (reading.suspects.length > 0) return ["leak_suspected", ""];
  if (reading.longRunning.length > 0) return ["long_running", ""];
  return [utilization >= circumstances.busyFrom ? "busy" : "ok", ""];
}

/** Besides what is worse: a leak may be its cause, and so may a long job. */
function longHolds({ suspects, longRunning }: PoolReading, condition: Condition): string[] {
  const isTold = condition === "exhausted" || condition === "stuck" || condition === "long_running";
  return [
    suspects.length > 0 ? `${describeHolds(suspects)} — suspected leak` : "",
    longRunning.length > 0 && isTold ? `${describeHolds(longRunning)} — at work` : "",
  ];
}

function numbers(reading: PoolReading): string {
  const { pool, used, limit, connecting, waiting, oldestWaitSeconds, held, shedding } = reading;
  const parts = [
    `${used}/${limit} in use`,
    held.idleInTransaction > 0 && `${held.idleInTransaction} idle in transaction`,
    held.lost > 0 && `${held.lost} lost`,
    held.kept > 0 && `${held.kept} kept`,
    connecting > 0 && `${connecting} connecting`,
    waiting > 0 && `${waiting} waiting (oldest ${oldestWaitSeconds.toFixed(1)} s)`,
    shedding && "shedding load",
  ];
  return `${pool}: ${parts.filter(Boolean).join(", ")}`;
}

function describeHolds(holds: readonly LeakSuspect[]): string {
  const sites = [...new Set(holds.map(({ site }) => site).filter(Boolean))];
  const held = Math.min(...holds.map(({ heldSeconds }) => heldSeconds));
  const where = sites.length > 0 ? ` since checkout at ${sites.slice(0, 3).join(", ")}` : "";
  return `${holds.length} held over ${held < 10 ? held.toFixed(1) : Math.floor(held)} s${where}`;
}

function describeDeadlock({ pools }: PoolDeadlock, used: number): [Condition, string] {
  if (pools.length === 1) {
    const all = `all ${used} are held by callers that wait for another one of this pool`;
    return ["self_deadlock", `${all}: pass the connection on instead of asking for a second`];
  }
  const who = `${pools.slice(0, -1).join(", ")} and ${pools.at(-1)}`;
  const all = `deadlock of ${who}: every connection is held by a caller that waits for one of the other pool`;
  return ["deadlock", `${all}: ask for them in the same order everywhere, or release the first before`];
}

function whyStuck({ total, limit, idle, connecting, held }: PoolReading): string {
  if (total < limit && idle === 0 && connecting === 0) {
    return " though there is room: pg-pool waits for a closing connection that does not answer (half-open)";
  }
  if (held.idleInTransaction > 0) return ": look for holders idle in transaction";
  if (held.lost > 0) return ": look for holders of connections that the server has closed";
  return held.executing > 0 ? ": look for long statements and locks" : ": look for holders that do nothing";
}

function describeFailure(cause: keyof ConnectFailures, total: number): [Condition, string] {
  const attempts = `${total} failed ${total === 1 ? "attempt" : "attempts"} to connect`;
  switch (cause) {
    case "refused":
      return ["server_unreachable", `the server refuses connections (${attempts}): see whether it runs`];
    case "unreachable":
      return [
        "server_unreachable",
        `the server cannot be found or reached (${attempts}): see DNS and network`,
      ];
    case "dialTimeout":
      return [
        "server_unreachable",
        `the server does not answer in time (${attempts}): see network and its load`,
      ];
    case "authentication":
      return ["authentication_failed", `the server rejects the user or password (${attempts})`];
    case "tooManyConnections":
      return [
        "too_many_connections",
        `the server has no connection left (${attempts}): lower max or the number of processes, or raise max_connections`,
      ];
    default:
      return [
        "server_unreachable",
        `connections cannot be opened (${attempts}): see poolscope.pool.connect_failures`,
      ];
  }
}
