export type { SizeAdvice } from "./advice/size-advice.ts";
export { PoolscopeError, type PoolscopeErrorCode } from "./errors.ts";
export type { HeldConnection, NestedCheckout, PoolscopeEvents, SlowQuery } from "./events.ts";
export type { AssessedReading, HealthStatus, OverallStatus, PoolStatus } from "./health/assess.ts";
export type {
  DatabaseHealth,
  HistoryEntry,
  PoolHealth,
  PoolNumbers,
  SizeAdviceEntry,
  SlowQueryEntry,
  UnknownHealth,
} from "./health/database.ts";
export type { Condition, Diagnosis } from "./health/diagnose.ts";
export type { Logger } from "./logger.ts";
export type { HttpHandler } from "./metrics/prometheus.ts";
export { MILLISECOND_BUCKETS } from "./metrics/semconv.ts";
export type {
  DetailsRule,
  HealthOptions,
  HoldersOptions,
  MetricReaderLike,
  OtlpOptions,
  OtlpTemporality,
  PoolscopeOptions,
  QueryName,
  ShedLoadOptions,
  ShutdownOptions,
  SkipRule,
  Thresholds,
  UsageAlert,
  WatchOptions,
} from "./options.ts";
export { type Poolscope, poolscope } from "./poolscope.ts";
export type { SlowQueryGroup } from "./queries/slow-groups.ts";
export type {
  ConnectFailures,
  DistributionSummary,
  HeldConnections,
  LeakSuspect,
  PoolReading,
} from "./readings/pool-reading.ts";
export type { ConnectionBudget } from "./server/connection-budget.ts";
export type { Holder } from "./server/holders.ts";
export type { ServerActivity } from "./server/server-activity.ts";
export type { CloseReason } from "./watch/close-reason.ts";
export type { Activity, TransactionStatus } from "./watch/connection.ts";
export type { PgPool } from "./watch/pg-types.ts";
export type { PoolWatch } from "./watch/pool-watch.ts";
