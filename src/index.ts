export type { SizeAdvice } from "./advice/size-advice.ts";
export type { Alert, AlertRule, AlertSeverity } from "./alerts/alert.ts";
export type { Notifier } from "./alerts/notifier.ts";
export { pagerDuty } from "./alerts/notifiers/pager-duty.ts";
export { slack } from "./alerts/notifiers/slack.ts";
export { webhook } from "./alerts/notifiers/webhook.ts";
export { PoolscopeError, type PoolscopeErrorCode } from "./errors.ts";
export type { HeldConnection, NestedCheckout, PoolscopeEvents, SlowQuery } from "./events.ts";
export type { AssessedReading, HealthStatus, OverallStatus, PoolStatus } from "./health/assess.ts";
export type {
  DatabaseHealth,
  HistoryEntry,
  PoolAlert,
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
export { poolscopeViews } from "./metrics/views.ts";
export type {
  AlertOptions,
  AlertThreshold,
  Component,
  ComponentCheck,
  ComponentResult,
  ConditionAlert,
  CountAlert,
  DeliveryOptions,
  DetailsRule,
  DrainOptions,
  GracefulShutdownOptions,
  HealthOptions,
  HoldersOptions,
  MetricReaderLike,
  MetricsOptions,
  NotifierOptions,
  OtlpOptions,
  OtlpTemporality,
  PagerDutyOptions,
  PingOptions,
  PoolscopeOptions,
  QueryName,
  QuerySource,
  RecycleOptions,
  RouteRule,
  RoutesOptions,
  ServerTimingRule,
  ShedLoadOptions,
  ShutdownOptions,
  SizedPoolOptions,
  SkipRule,
  SlackOptions,
  Thresholds,
  ViewsOptions,
  WaitingAlert,
  WarmOptions,
  WatchOptions,
  WebhookOptions,
} from "./options.ts";
export { type DrainReport, drain, type UnreturnedConnection } from "./pools/drain.ts";
export { flush } from "./pools/flush.ts";
export { type PgPoolOptions, poolOptions } from "./pools/pool-options.ts";
export { warm } from "./pools/warm.ts";
export { type Poolscope, poolscope } from "./poolscope.ts";
export type { SlowQueryGroup } from "./queries/slow-groups.ts";
export type {
  ConnectFailures,
  DistributionSummary,
  HeldConnections,
  LeakSuspect,
  PoolDeadlock,
  PoolReading,
} from "./readings/pool-reading.ts";
export { type PoolRecycling, recycle } from "./recycling/recycle.ts";
export type { ConnectionBudget } from "./server/connection-budget.ts";
export type { Holder } from "./server/holders.ts";
export type { ServerActivity } from "./server/server-activity.ts";
export type { GracefulShutdown } from "./shutdown/graceful-shutdown.ts";
export type { ClosableServer } from "./shutdown/server-connections.ts";
export type { CloseReason } from "./watch/close-reason.ts";
export type { PoolTimeout } from "./watch/coded-timeout.ts";
export type { Activity, TransactionStatus } from "./watch/connection.ts";
export type { PgPool } from "./watch/pg-types.ts";
export type { PoolWatch } from "./watch/pool-watch.ts";
