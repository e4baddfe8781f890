/** What is looked for, by the name of its option in `alerts`. */
export type AlertRule =
  | "usage"
  | "overflow"
  | "waiting"
  | "timeouts"
  | "leaks"
  | "longRunning"
  | "connectFailures"
  | "slowQueries"
  | "stuck"
  | "down"
  | "eventLoop";

/** How bad it is, in PagerDuty's words. */
export type AlertSeverity = "info" | "warning" | "error" | "critical";

/** From mild to bad. */
export const SEVERITIES: readonly AlertSeverity[] = ["info", "warning", "error", "critical"];

/** One rule that one pool has broken. Frozen. */
export interface Alert {
  /** The pool's name. */
  readonly pool: string;
  readonly rule: AlertRule;
  readonly severity: AlertSeverity;
  /** `pending`: from `enter` on, but not for `forMillis` yet. Only `firing` and `resolved` are told. */
  readonly state: "pending" | "firing" | "resolved";
  /** In the rule's unit, see docs/alerts.md: a fraction, seconds, a number; 1 where something holds or does not. */
  readonly value: number;
  /** What `value` was compared with: `enter`, in a resolved alert `leave`. */
  readonly threshold: number;
  /** ISO 8601: the sample in which `enter` was reached. */
  readonly since: string;
  /** ISO 8601, of a resolved alert. */
  readonly resolvedAt?: string;
  /** Of a resolved alert: the numbers are back; the pool has ended or is not watched any more; the scope was shut down. */
  readonly resolution?: "recovered" | "unwatched" | "shutdown";
  /** `serviceName`, or what OpenTelemetry's environment variables call the service. Absent when nothing does. */
  readonly service?: string;
  /** One sentence: the pool, the numbers, and what to turn with its present value. No SQL and no hosts. */
  readonly summary: string;
}
