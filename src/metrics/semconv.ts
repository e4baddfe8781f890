/**
 * Every metric poolscope exports: one table. Instruments, the Prometheus text, readings and docs/metrics.md all come
 * from it.
 *
 * Names, units and descriptions of `db.client.*` follow the semantic conventions 1.45 (status: development):
 * https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
 * What the conventions do not cover has the segment `poolscope`.
 */
export interface MetricSpec {
  readonly name: string;
  readonly kind: "counter" | "upDownCounter" | "gauge" | "histogram";
  readonly unit: string;
  readonly description: string;
  /** Attribute keys besides those of the pool. */
  readonly attributes?: readonly string[];
}

export interface HistogramSpec extends MetricSpec {
  readonly kind: "histogram";
  /** Upper bounds, inclusive. The SDK's defaults are for milliseconds, so every histogram brings its own. */
  readonly boundaries: readonly number[];
}

export type ObservableName =
  | "count"
  | "limit"
  | "idleMin"
  | "idleMax"
  | "pendingRequests"
  | "timeouts"
  | "size"
  | "overflow"
  | "checkedOut"
  | "utilization"
  | "connecting"
  | "oldestWait"
  | "totalWait"
  | "stalled"
  | "held"
  | "leaked"
  | "peakUsed"
  | "peakPending"
  | "requests"
  | "checkouts"
  | "waits"
  | "connects"
  | "connectFailures"
  | "closes"
  | "leaks"
  | "releasedInTransaction"
  | "queryErrors"
  | "slowQueries"
  | "pings"
  | "pingFailures"
  | "rejected"
  | "shed";

export type HistogramName =
  | "waitTime"
  | "useTime"
  | "createTime"
  | "reuse"
  | "queryDuration"
  | "returnedRows"
  | "routeWaitTime"
  | "routeUseTime"
  | "routeQueryTime";

export const ATTR_POOL_NAME = "db.client.connection.pool.name";
const ATTR_STATE = "db.client.connection.state";
export const ATTR_SYSTEM = "db.system.name";
export const ATTR_NAMESPACE = "db.namespace";
export const ATTR_SERVER_ADDRESS = "server.address";
export const ATTR_SERVER_PORT = "server.port";
export const ATTR_ERROR_TYPE = "error.type";
const ATTR_ACTIVITY = "activity";
const ATTR_REASON = "reason";
export const ATTR_OPERATION_NAME = "db.operation.name";
export const ATTR_QUERY_SUMMARY = "db.query.summary";
export const ATTR_STATUS_CODE = "db.response.status_code";
export const ATTR_HTTP_ROUTE = "http.route";

export const STATE_IDLE = "idle";
export const STATE_USED = "used";

/** The attributes poolscope sets itself; `attributes` of `watch()` may not replace them. */
export const OWN_ATTRIBUTES: readonly string[] = [
  ATTR_POOL_NAME,
  ATTR_STATE,
  ATTR_SYSTEM,
  ATTR_NAMESPACE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_ERROR_TYPE,
  ATTR_ACTIVITY,
  ATTR_REASON,
  ATTR_OPERATION_NAME,
  ATTR_QUERY_SUMMARY,
  ATTR_STATUS_CODE,
  ATTR_HTTP_ROUTE,
];

// From 0.5 ms, where an idle client is handed out, to the 30 s at which callers commonly give up.
const WAIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// From one short query to a hold that is surely a leak.
const USE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30, 60, 300];
// From a Unix socket to TLS across the world and a dial timeout.
const CREATE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// From a connection that served once to one that served all day.
const REUSE_CHECKOUTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000, 100_000];
// The conventions' own.
const QUERY_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const RETURNED_ROWS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/** From 1 ms to 1 s, for `queryDurationBuckets`: finer where most queries are than the conventions' own. */
export const MILLISECOND_BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

export const METRICS: Readonly<Record<ObservableName, MetricSpec> & Record<HistogramName, HistogramSpec>> = {
  count: {
    name: "db.client.connection.count",
    kind: "upDownCounter",
    unit: "{connection}",
    description: "Open connections by state. Connections still being dialed are neither idle nor used.",
    attributes: [ATTR_STATE],
  },
  limit: {
    name: "db.client.connection.limit",
    kind: "upDownCounter",
    unit: "{connection}",
    description: "The most connections the pool may open (`max`, read live).",
  },
  idleMin: {
    name: "db.client.connection.idle.min",
    kind: "upDownCounter",
    unit: "{connection}",
    description: "Idle connections the pool keeps rather than closing them (`min`, read live).",
  },
  idleMax: {
    name: "db.client.connection.idle.max",
    kind: "upDownCounter",
    unit: "{connection}",
    description:
      "The most idle connections the pool may hold. node-postgres has no limit of its own: it is `max`.",
  },
  pendingRequests: {
    name: "db.client.connection.pending_requests",
    kind: "upDownCounter",
    unit: "{request}",
    description: "Callers queued for a connection at this moment.",
  },
  timeouts: {
    name: "db.client.connection.timeouts",
    kind: "counter",
    unit: "{timeout}",
    description:
      "Callers that gave up: because no connection became free (`wait_timeout`) or because theirs took too long to open (`dial_timeout`).",
    attributes: [ATTR_ERROR_TYPE],
  },
  waitTime: {
    name: "db.client.connection.wait_time",
    kind: "histogram",
    unit: "s",
    description: "Time from the request of a connection until it was handed out, dial included.",
    boundaries: WAIT_SECONDS,
  },
  useTime: {
    name: "db.client.connection.use_time",
    kind: "histogram",
    unit: "s",
    description: "Time from handing out a connection until it was released.",
    boundaries: USE_SECONDS,
  },
  createTime: {
    name: "db.client.connection.create_time",
    kind: "histogram",
    unit: "s",
    description: "Time from the start of a dial until the connection was ready.",
    boundaries: CREATE_SECONDS,
  },
  size: {
    name: "poolscope.pool.size",
    kind: "gauge",
    unit: "{connection}",
    description:
      "Connections meant for ordinary load: `poolSize`, else `min` when it is above 0, else `max`.",
  },
  overflow: {
    name: "poolscope.pool.overflow",
    kind: "gauge",
    unit: "{connection}",
    description: "Used connections beyond the pool size.",
  },
  checkedOut: {
    name: "poolscope.pool.checked_out",
    kind: "gauge",
    unit: "{connection}",
    description: "Connections handed out at this moment (the used ones of `db.client.connection.count`).",
  },
  utilization: {
    name: "poolscope.pool.utilization",
    kind: "gauge",
    unit: "1",
    description: "Used connections divided by the limit; 0 when the limit is 0.",
  },
  connecting: {
    name: "poolscope.pool.connecting",
    kind: "gauge",
    unit: "{connection}",
    description: "Connections being dialed at this moment.",
  },
  oldestWait: {
    name: "poolscope.pool.oldest_wait",
    kind: "gauge",
    unit: "s",
    description: "How long the oldest queued caller has been waiting; 0 when nobody waits.",
  },
  totalWait: {
    name: "poolscope.pool.total_wait",
    kind: "gauge",
    unit: "s",
    description: "How long all queued callers have been waiting, added up; the oldest hundred count.",
  },
  stalled: {
    name: "poolscope.pool.stalled",
    kind: "gauge",
    unit: "s",
    description:
      "How long callers have been kept waiting while nothing was handed out or returned; 0 when something was, or nobody had to wait. Without time in which the process was frozen.",
  },
  held: {
    name: "poolscope.pool.held",
    kind: "gauge",
    unit: "{connection}",
    description:
      "Used connections by what their holders do: `executing` a statement, `idle_in_transaction`, `idle`, or nothing with a connection that is `lost`; or that they are `kept` for good on purpose.",
    attributes: [ATTR_ACTIVITY],
  },
  leaked: {
    name: "poolscope.pool.leaked",
    kind: "gauge",
    unit: "{connection}",
    description: "Connections reported as leaks, and neither returned nor used since.",
  },
  peakUsed: {
    name: "poolscope.pool.peak_used",
    kind: "gauge",
    unit: "{connection}",
    description:
      "Most connections used at once in the running and the last whole sample interval: scrapes no further apart miss nothing.",
  },
  peakPending: {
    name: "poolscope.pool.peak_pending",
    kind: "gauge",
    unit: "{request}",
    description:
      "Most callers queued at once in the running and the last whole sample interval: scrapes no further apart miss nothing.",
  },
  requests: {
    name: "poolscope.pool.requests",
    kind: "counter",
    unit: "{request}",
    description:
      "Requests for a connection: those handed one, those that gave up or failed, and those queued.",
  },
  checkouts: {
    name: "poolscope.pool.checkouts",
    kind: "counter",
    unit: "{checkout}",
    description: "Connections handed out.",
  },
  waits: {
    name: "poolscope.pool.waits",
    kind: "counter",
    unit: "{request}",
    description: "Requests that found neither an idle connection nor room for a new one.",
  },
  connects: {
    name: "poolscope.pool.connects",
    kind: "counter",
    unit: "{connection}",
    description: "Connections opened.",
  },
  connectFailures: {
    name: "poolscope.pool.connect_failures",
    kind: "counter",
    unit: "{failure}",
    description:
      "Attempts to open a connection that failed, by SQLSTATE, Node error code, or `dial_timeout`.",
    attributes: [ATTR_ERROR_TYPE],
  },
  closes: {
    name: "poolscope.pool.closes",
    kind: "counter",
    unit: "{connection}",
    description:
      "Connections closed, by reason: `lifetime`, `idle`, `max_uses`, `query_error`, `connection_lost`, `released_with_error`, `ping_failed`, `half_open`, `in_transaction`, `flushed`, `pool_end`, `other`.",
    attributes: [ATTR_REASON],
  },
  leaks: {
    name: "poolscope.pool.leaks",
    kind: "counter",
    unit: "{leak}",
    description:
      "Connections held, and not used, for longer than `leakAfterMillis`; each counted once, returned later or not.",
  },
  releasedInTransaction: {
    name: "poolscope.pool.released_in_transaction",
    kind: "counter",
    unit: "{connection}",
    description:
      "Connections released inside a transaction, which the next holder finds open unless `recycle()` ends it.",
  },
  pings: {
    name: "poolscope.pool.pings",
    kind: "counter",
    unit: "{ping}",
    description: "Pings of idle connections by `recycle()`; 0 without it.",
  },
  pingFailures: {
    name: "poolscope.pool.ping_failures",
    kind: "counter",
    unit: "{failure}",
    description: "Pings that were not answered, or answered by an error; the connection was closed.",
  },
  rejected: {
    name: "poolscope.pool.rejected",
    kind: "counter",
    unit: "{request}",
    description: "Callers refused at once because `maxWaiting` others were waiting.",
  },
  reuse: {
    name: "poolscope.pool.reuse",
    kind: "histogram",
    unit: "{checkout}",
    description: "How often a connection was handed out before it was closed.",
    boundaries: REUSE_CHECKOUTS,
  },
  queryDuration: {
    name: "db.client.operation.duration",
    kind: "histogram",
    unit: "s",
    description:
      "Time from the call of `query` until the answer was complete; of a stream until it ended or was destroyed.",
    attributes: [ATTR_OPERATION_NAME, ATTR_QUERY_SUMMARY, ATTR_ERROR_TYPE, ATTR_STATUS_CODE],
    boundaries: QUERY_SECONDS,
  },
  returnedRows: {
    name: "db.client.response.returned_rows",
    kind: "histogram",
    unit: "{row}",
    description: "Rows that came back, of queries that return rows and succeeded.",
    attributes: [ATTR_OPERATION_NAME, ATTR_QUERY_SUMMARY],
    boundaries: RETURNED_ROWS,
  },
  queryErrors: {
    name: "poolscope.query.errors",
    kind: "counter",
    unit: "{error}",
    description:
      "Queries that failed, by SQLSTATE, Node error code, `query_timeout`, `connection_lost`, or error class.",
    attributes: [ATTR_ERROR_TYPE],
  },
  slowQueries: {
    name: "poolscope.query.slow",
    kind: "counter",
    unit: "{query}",
    description: "Queries that took longer than `slowQueryMillis`.",
  },
  routeWaitTime: {
    name: "poolscope.route.wait_time",
    kind: "histogram",
    unit: "s",
    description:
      "Time a request to this route waited for a connection, dial included; one for each connection. With `scope.routes()`.",
    attributes: [ATTR_HTTP_ROUTE],
    boundaries: WAIT_SECONDS,
  },
  routeUseTime: {
    name: "poolscope.route.use_time",
    kind: "histogram",
    unit: "s",
    description:
      "Time a request to this route held a connection until it was released. With `scope.routes()`.",
    attributes: [ATTR_HTTP_ROUTE],
    boundaries: USE_SECONDS,
  },
  routeQueryTime: {
    name: "poolscope.route.query_time",
    kind: "histogram",
    unit: "s",
    description:
      "Duration of each query of a request to this route, as in `db.client.operation.duration`. With `scope.routes()`.",
    attributes: [ATTR_HTTP_ROUTE],
    boundaries: QUERY_SECONDS,
  },
  shed: {
    name: "poolscope.middleware.shed",
    kind: "counter",
    unit: "{request}",
    description: "HTTP requests that `shedLoad()` refused because too many callers waited for this pool.",
  },
};

/** Histograms of query durations: `queryDurationBuckets` is for them. */
export const QUERY_TIMES: readonly string[] = ["queryDuration", "routeQueryTime"] satisfies HistogramName[];

export type ScopeMetricName = "alertsSent" | "alertsFailed" | "alertsDropped";

export const ATTR_NOTIFIER = "notifier";

/** What is not of one pool: these carry no attributes but their own. */
export const SCOPE_METRICS: Readonly<Record<ScopeMetricName, MetricSpec>> = {
  alertsSent: {
    name: "poolscope.alerts.sent",
    kind: "counter",
    unit: "{message}",
    description: "Messages about alerts that the notifier's receiver accepted.",
    attributes: [ATTR_NOTIFIER],
  },
  alertsFailed: {
    name: "poolscope.alerts.failed",
    kind: "counter",
    unit: "{message}",
    description: "Messages about alerts that were given up after the last attempt.",
    attributes: [ATTR_NOTIFIER],
  },
  alertsDropped: {
    name: "poolscope.alerts.dropped",
    kind: "counter",
    unit: "{message}",
    description:
      "Messages about alerts that were dropped unsent: the queue was full, or the scope shut down.",
    attributes: [ATTR_NOTIFIER],
  },
};

export const METER_NAME = "poolscope";

/** The meter, and the tracer, of the official instrumentation: its package's name. */
export const INSTRUMENTATION_NAME = "@opentelemetry/instrumentation-pg";
/** What the names of all pool metrics of the conventions begin with. */
export const POOL_METRICS = "db.client.connection.";
