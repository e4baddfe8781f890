export { PoolscopeError, type PoolscopeErrorCode } from "./errors.ts";
export type { AssessedReading, HealthStatus, OverallStatus, PoolStatus } from "./health/assess.ts";
export type {
  DatabaseHealth,
  HistoryEntry,
  PoolHealth,
  PoolNumbers,
  UnknownHealth,
} from "./health/database.ts";
export type { Logger } from "./logger.ts";
export type { HttpHandler } from "./metrics/prometheus.ts";
export type {
  HealthOptions,
  MetricReaderLike,
  OtlpOptions,
  OtlpTemporality,
  PoolscopeOptions,
  ShutdownOptions,
  Thresholds,
  UsageAlert,
  WatchOptions,
} from "./options.ts";
export { type Poolscope, poolscope } from "./poolscope.ts";
export type { ConnectFailures, DurationSummary, PoolReading } from "./readings/pool-reading.ts";
export type { PgPool } from "./watch/pg-types.ts";
export type { PoolWatch } from "./watch/pool-watch.ts";
