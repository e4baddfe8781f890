import type { IncomingMessage } from "node:http";
import type { MeterProvider } from "@opentelemetry/api";
import type { AlertSeverity } from "./alerts/alert.ts";
import type { Notifier } from "./alerts/notifier.ts";
import type { Logger } from "./logger.ts";
import type { PoolTimeout } from "./watch/coded-timeout.ts";

/** Options of `poolscope()`. */
export interface PoolscopeOptions {
  /**
   * `service.name` of the exported metrics.
   *
   * @default `OTEL_SERVICE_NAME`, else `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, else OpenTelemetry's default
   */
  serviceName?: string | undefined;
  /**
   * The application's own MeterProvider, for metrics beside the application's others. Needs {@link reader} too.
   * poolscope never shuts it down.
   *
   * @default a private provider; nothing global is touched
   */
  meterProvider?: MeterProvider | undefined;
  /** A reader of {@link meterProvider}, with cumulative temporality: health and readings are made from what it collects. */
  reader?: MetricReaderLike | undefined;
  /**
   * Push to an OpenTelemetry Collector by OTLP/HTTP (protobuf). `true` takes everything from `OTEL_EXPORTER_OTLP_*`;
   * `false` never pushes. Not with {@link meterProvider}, which has exporters of its own.
   *
   * @default pushes when `OTEL_METRICS_EXPORTER` names `otlp`, or when it is unset and `OTEL_EXPORTER_OTLP_ENDPOINT` or
   * `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` is set
   */
  otlp?: boolean | OtlpOptions | undefined;
  /**
   * Where lines are logged: anything shaped like `console`; `false` logs nothing.
   *
   * @default warnings and errors to `console.warn` and `console.error`, the rest to OpenTelemetry's `diag`
   */
  logger?: Logger | false | undefined;
  /** Where a pool's status changes, as used/capacity. */
  thresholds?: Thresholds | undefined;
  /** What counts as an alert, rule by rule. `false` switches a rule off. See docs/alerts.md. */
  alerts?: AlertOptions | undefined;
  /**
   * Who is told of alerts besides the log and `scope.on()`: `webhook()`, `slack()`, `pagerDuty()`, or a
   * {@link Notifier} of your own. Needs samples: not with {@link sampleIntervalMillis} 0.
   *
   * @default none
   */
  notifiers?: readonly Notifier[] | undefined;
  /**
   * Milliseconds between two samples for history, peaks and alerts, 10 or more; 0 takes none. A scrape interval no
   * longer than this misses no peak.
   *
   * @default 10000
   */
  sampleIntervalMillis?: number | undefined;
  /** Samples kept for each pool, 1 to 10000. @default 100 */
  historySize?: number | undefined;
  /**
   * Milliseconds after which a connection that is held, and was not used for as long, is reported as a suspected leak, 10
   * or more; 0 reports none, and notes no places in the code. A connection that is held for as long and at work is long
   * running. Connections that are kept on purpose are neither: those that LISTEN, {@link WatchOptions.longHolds} and
   * `scope.keep()`. Places are noted of 500 checkouts a second and pool, and after a leak without one, of all for ten
   * minutes.
   *
   * @default 60000
   */
  leakAfterMillis?: number | undefined;
  /**
   * `"warn"` looks for callers that ask for a connection of a pool while they hold one of it, which can end with all of
   * them waiting for each other, also over two pools. A flow that asks while a statement of the holder runs was begun
   * beside it, and is not nested. Follows asynchronous flows with AsyncLocalStorage, which costs something per checkout.
   *
   * @default "off"
   */
  nestedCheckouts?: "off" | "warn" | undefined;
  /**
   * Milliseconds for which callers are kept waiting while nothing is handed out or returned, after which a pool counts
   * as stuck and not merely busy, 1 or more.
   *
   * @default 5000
   */
  stuckAfterMillis?: number | undefined;
  /**
   * How many processes run this application against the same server, 1 or more: what `connectionBudget()` multiplies
   * by. Soon after a pool is watched the budget is compared with the server's limit, by a short-lived connection of
   * poolscope's own, and a warning is logged where it does not fit; 0 never compares.
   *
   * @default 1
   */
  processes?: number | undefined;
  /**
   * Milliseconds that 95 of 100 requests for a connection should wait at most, 1 or more: what `advice` in readings is
   * about, see docs/size-advice.md; 0 gives none. Needs samples.
   *
   * @default 10
   */
  targetWaitMillis?: number | undefined;
  /** Milliseconds after which a reading of the meter is given up, 1 or more. @default 2000 */
  collectTimeoutMillis?: number | undefined;
  /**
   * Who measures the queries: poolscope on every client of a watched pool; or `@opentelemetry/instrumentation-pg`,
   * which has to be installed and is registered for the whole process; or nobody. See docs/queries.md.
   *
   * @default "poolscope"
   */
  queries?: QuerySource | undefined;
  /** Milliseconds from which a query counts as slow, 1 or more; 0: none does. @default 1000 */
  slowQueryMillis?: number | undefined;
  /**
   * A name for each query, which becomes `db.query.summary`: cut to 255 characters. Called for every query, so it has
   * to be quick; where it returns undefined the query has no name. Put nothing into it that differs from call to call.
   *
   * @default none
   */
  queryName?: QueryName | undefined;
  /** Different names kept apart, 1 to 1000; the rest is `_OTHER`. @default 100 */
  maxQueryNames?: number | undefined;
  /**
   * Upper bounds of the buckets of `db.client.operation.duration` in seconds, ascending, 1 to 50 of them. See
   * {@link MILLISECOND_BUCKETS}.
   *
   * @default those of the semantic conventions: 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10
   */
  queryDurationBuckets?: readonly number[] | undefined;
}

/** Who measures the queries, see {@link PoolscopeOptions.queries}. */
export type QuerySource = "poolscope" | "instrumentation-pg" | "off";

/** Where a pool's status changes. Both in (0, 1], `warning` below `critical`. */
export interface Thresholds {
  /** From here on `warning`. @default 0.75 */
  warning?: number | undefined;
  /** From here on `critical`. @default 0.9 */
  critical?: number | undefined;
}

/**
 * When each rule fires. It is pending from `enter` on, fires when it has stayed there for `forMillis`, and is resolved
 * below `leave`. Durations are judged from one sample to the next (`sampleIntervalMillis`).
 */
export interface AlertOptions {
  /**
   * used/capacity, in (0, 1].
   *
   * @default `{ enter: 0.8, leave: 0.75, forMillis: 2 × sampleIntervalMillis }`
   */
  usage?: AlertThreshold | false | undefined;
  /** Connections in use beyond the pool size, 1 or more. @default `{ enter: 1, leave: 1, forMillis: 0 }` */
  overflow?: AlertThreshold | false | undefined;
  /**
   * How long the oldest queued caller has waited.
   *
   * @default `{ enterMillis: 1000, leaveMillis: 500, forMillis: 2 × sampleIntervalMillis }`
   */
  waiting?: WaitingAlert | false | undefined;
  /** Callers that gave up, 1 or more. @default `{ enter: 1, leave: 1, forMillis: 0, windowMillis: 60000 }` */
  timeouts?: CountAlert | false | undefined;
  /** Suspected leaks, 1 or more. @default `{ enter: 1, leave: 1, forMillis: 0 }` */
  leaks?: AlertThreshold | false | undefined;
  /**
   * Connections held for `leakAfterMillis` by holders that are at work, 1 or more.
   *
   * @default `{ enter: 1, leave: 1, forMillis: 0 }`
   */
  longRunning?: AlertThreshold | false | undefined;
  /**
   * Failed attempts to connect, 1 or more; without those of outages that `down` tells of.
   *
   * @default `{ enter: 3, leave: 1, forMillis: 0, windowMillis: 60000 }`
   */
  connectFailures?: CountAlert | false | undefined;
  /** Queries slower than `slowQueryMillis`. @default `{ enter: 10, leave: 5, forMillis: 0, windowMillis: 60000 }` */
  slowQueries?: CountAlert | false | undefined;
  /** Nothing moved for `stuckAfterMillis` while callers waited, or the pool is deadlocked. @default `{ forMillis: 0 }` */
  stuck?: ConditionAlert | false | undefined;
  /**
   * The last attempt to connect failed: server unreachable, authentication failed, too many connections.
   *
   * @default `{ forMillis: sampleIntervalMillis }`
   */
  down?: ConditionAlert | false | undefined;
  /** The event loop was blocked. @default `{ forMillis: 0 }` */
  eventLoop?: ConditionAlert | false | undefined;
}

/** When something measured is an alert. */
export interface AlertThreshold {
  /** An alert from here on. */
  enter?: number | undefined;
  /** Over below this; not above `enter`. */
  leave?: number | undefined;
  /** Milliseconds for which it has to stay at `enter` or above before it fires, 0 or more. */
  forMillis?: number | undefined;
}

/** When something counted is an alert: by how much it grows. */
export interface CountAlert extends AlertThreshold {
  /** Milliseconds within which it is counted, 1 or more; at least the time between two samples. @default 60000 */
  windowMillis?: number | undefined;
}

/** When a wait is an alert. */
export interface WaitingAlert {
  /** Milliseconds, 1 or more: an alert from here on. @default 1000 */
  enterMillis?: number | undefined;
  /** Milliseconds, 1 or more: over below this; not above `enterMillis`. @default 500, or `enterMillis` when that is lower */
  leaveMillis?: number | undefined;
  /** Milliseconds for which waits have to stay that long before it fires, 0 or more. */
  forMillis?: number | undefined;
}

/** When what holds or does not is an alert. */
export interface ConditionAlert {
  /** Milliseconds for which it has to hold before it fires, 0 or more. */
  forMillis?: number | undefined;
}

/** How messages to a notifier are sent. */
export interface DeliveryOptions {
  /** Milliseconds one attempt may take, 1 or more. @default 5000 */
  timeoutMillis?: number | undefined;
  /** Attempts after the first, 0 to 100. @default 5 */
  retries?: number | undefined;
  /** Milliseconds before the second attempt, 1 or more; doubled for each further one, and up to as much again at random. @default 1000 */
  minBackoffMillis?: number | undefined;
  /** Milliseconds between two attempts at most, not below `minBackoffMillis`. @default 30000 */
  maxBackoffMillis?: number | undefined;
  /** Milliseconds of a receiver's `Retry-After` that are waited at most, besides the back-off; 0 ignores it. @default 60000 */
  maxRetryAfterMillis?: number | undefined;
  /** Messages that wait at most, 1 to 10000; what happens beyond is in docs/alerts.md. @default 100 */
  queueSize?: number | undefined;
}

/** Options of every notifier. */
export interface NotifierOptions extends DeliveryOptions {
  /** Unique in a scope, 1 to 60 characters without `/`: the label `notifier` and the word in logs. @default the kind, like `slack` */
  name?: string | undefined;
  /** The mildest severity that is sent. @default "warning" */
  minSeverity?: AlertSeverity | undefined;
  /** The instance that messages name, 1 to 255 characters. @default the name of this machine */
  source?: string | undefined;
}

/** Options of `webhook()`. */
export interface WebhookOptions extends NotifierOptions {
  /** Headers for each request. Secret: they are shown nowhere. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of `slack()`. */
export interface SlackOptions extends NotifierOptions {}

/** Options of `pagerDuty()`. */
export interface PagerDutyOptions extends NotifierOptions {
  /** Of the Events API v2. @default `https://events.pagerduty.com/v2/enqueue` */
  url?: string | undefined;
}

/** What the OTLP exporter is asked to report: running totals or differences. */
export type OtlpTemporality = "cumulative" | "delta" | "lowmemory";

/** Options of the OTLP push. What is left out comes from OpenTelemetry's environment variables. */
export interface OtlpOptions {
  /** The full URL, path included. @default `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, else `http://localhost:4318/v1/metrics` */
  url?: string | undefined;
  /** Headers for each request. @default `OTEL_EXPORTER_OTLP_HEADERS` */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds between two exports, 1 or more. @default `OTEL_METRIC_EXPORT_INTERVAL`, else 60000 */
  exportIntervalMillis?: number | undefined;
  /** Milliseconds an export may take, 1 or more; at most the interval. @default `OTEL_METRIC_EXPORT_TIMEOUT`, else 30000 */
  exportTimeoutMillis?: number | undefined;
  /** @default `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, else `cumulative` */
  temporality?: OtlpTemporality | undefined;
}

/**
 * @param query What the application gave to `query()`; a plain text as `{ text }`
 * @returns A name, or undefined for none
 */
export type QueryName = (query: {
  readonly text?: unknown;
  readonly name?: unknown;
  readonly [key: string]: unknown;
}) => string | undefined;

/** Options of `scope.watch()`. */
export interface WatchOptions {
  /**
   * The pool's name in metrics, health and logs, up to 120 characters without control characters; unique among the
   * pools watched. What may hold a password, like a connection string, is refused.
   *
   * @default the database's name, else the server's address, else `pool`: each only if it looks like one, because of a
   * connection string that pg misreads a part of the password may stand there; with `-2`, `-3` … where it is taken
   */
  name?: string | undefined;
  /**
   * How many connections are meant for ordinary load, 1 to the pool's `max`. What is used beyond is overflow.
   *
   * @default the pool's `min` when it is above 0, else its `max`
   */
  poolSize?: number | undefined;
  /** More attributes for every metric of this pool: a few, with few values each. URLs with a password are refused. */
  attributes?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * Give pg-pool's timeout errors a `code` and the pool's numbers, see {@link PoolTimeout}. The application's errors then
   * look different from what they are without poolscope, which is why it has to be asked for.
   *
   * @default false
   */
  codedTimeouts?: boolean | undefined;
  /**
   * `leakAfterMillis` of this pool, 10 or more; 0 reports no leaks.
   *
   * @default that of the scope
   */
  leakAfterMillis?: number | undefined;
  /**
   * Places whose connections are held for good on purpose: parts of a frame, such as the name of a package or a file, and
   * expressions that a frame matches. Their connections are `kept` and never suspected. The five innermost frames are
   * compared, those of packages too, with paths below the working directory shortened and `/` as separator. The place of
   * every checkout of the pool is noted then.
   *
   * @default none
   */
  longHolds?: readonly (string | RegExp)[] | undefined;
}

/** Options of `recycle()`. */
export interface RecycleOptions {
  /**
   * Milliseconds for which a connection counts as alive after it was opened, given back or pinged, 0 or more. One that
   * was idle for longer is pinged before it is handed out; a busy pool never pings.
   *
   * @default 500
   */
  pingAfterIdleMillis?: number | undefined;
  /** Milliseconds a ping or a rollback may take, 10 or more; then the socket is destroyed. @default 1000 */
  pingTimeoutMillis?: number | undefined;
  /** After so many failed pings in a row all idle connections are closed, 1 or more; 0 never. @default 2 */
  failuresToFlush?: number | undefined;
  /**
   * Seconds a connection may live, 1 or more; 0 for ever. Idle ones are closed before they reach it, those in use when
   * they are released. With the `maxLifetimeSeconds` of the pool itself, whichever comes first.
   *
   * @default 3600
   */
  maxLifetimeSeconds?: number | undefined;
  /** How much shorter a single life may be, 0 to 1: connections opened together are not closed together. @default 0.25 */
  lifetimeJitter?: number | undefined;
  /** Seconds after which an idle connection is pinged, 1 or more; 0 never. Below what others close idle ones after. @default 0 */
  keepAliveSeconds?: number | undefined;
  /**
   * Also close a connection on which the server reported 25006, read-only transaction: for failovers. Not where the holder
   * has set something in its session.
   *
   * @default true
   */
  evictReadOnly?: boolean | undefined;
  /** What happens to a connection released inside a transaction. A rollback that fails destroys it. @default "rollback" */
  transactionAtRelease?: "rollback" | "destroy" | "ignore" | undefined;
  /**
   * Milliseconds for which a connection released while a statement runs on it is kept aside, 10 or more; then it is
   * destroyed. With the pool's own `query_timeout` it is destroyed at once.
   *
   * @default 5000
   */
  busyTimeoutMillis?: number | undefined;
  /** Milliseconds a closed connection has to say goodbye, 10 or more; then its socket is destroyed. @default 500 */
  halfOpenGraceMillis?: number | undefined;
  /** Keep the connection when `pool.query` fails with a plain SQL error; `false` closes it, as pg-pool does. @default true */
  keepOnSqlError?: boolean | undefined;
  /**
   * Milliseconds for which callers wait, instead of failing, while a server that was connected to before refuses
   * connections, 10 or more; 0 not at all. Never longer than the pool's `connectionTimeoutMillis`.
   *
   * @default 5000
   */
  dialRetryMillis?: number | undefined;
  /**
   * How many callers may wait, 0 or more; one more is rejected at once with `POOLSCOPE_TOO_MANY_WAITING`.
   *
   * @default Infinity
   */
  maxWaiting?: number | undefined;
  /** Give pg-pool's timeout errors a `code` and the pool's numbers, see {@link PoolTimeout}. @default true */
  codedTimeouts?: boolean | undefined;
  /** Seconds after which a proxy or firewall closes idle connections, if one does: only to be warned. @default 0 */
  idleLimitSeconds?: number | undefined;
  /**
   * Where lines are logged: anything shaped like `console`; `false` logs nothing.
   *
   * @default warnings and errors to `console.warn` and `console.error`, the rest to OpenTelemetry's `diag`
   */
  logger?: Logger | false | undefined;
}

/** Options of `drain()`. */
export interface DrainOptions {
  /** Milliseconds for which holders are waited for, 1 or more; then their connections are closed. @default 10000 */
  timeoutMillis?: number | undefined;
}

/** Options of `warm()`. */
export interface WarmOptions {
  /** How many connections are to be open, 0 to the pool's `max`. @default the pool's `min` */
  connections?: number | undefined;
}

/** A pool's size in the words of SQLAlchemy, for `poolOptions()`. */
export interface SizedPoolOptions {
  /** Connections kept open, 1 or more. @default 5 */
  poolSize?: number | undefined;
  /** More connections under load, 0 or more; closed when they are idle for a while. @default 10 */
  maxOverflow?: number | undefined;
  /** Seconds a caller waits, 0 or more; 0 for ever. @default 30 */
  timeoutSeconds?: number | undefined;
  /** Seconds a connection lives, 1 or more; 0 or -1 for ever. @default -1 */
  recycleSeconds?: number | undefined;
}

/** Options of `scope.health()`. */
export interface HealthOptions {
  /** Milliseconds for which one reading answers all probes, 0 or more. @default 250 */
  cacheMillis?: number | undefined;
  /**
   * Which requests may see details: the redacted SQL of slow queries. A function is called for each request of a page
   * that has details; what it throws, anything but `true`, and no answer within 500 ms hides them.
   *
   * @default "never"
   */
  details?: "never" | "always" | DetailsRule | undefined;
  /**
   * Other parts of the application, by name: checks of your own, each with a deadline and a cache of its own. They show
   * in `/` and count for its status. Not named `database` or `ping`.
   *
   * @default none
   */
  components?: Readonly<Record<string, ComponentCheck | Component>> | undefined;
  /**
   * Show a component `ping`: whether the server of each pool answers, asked over a short-lived connection of poolscope's
   * own. It never takes a connection of a pool.
   *
   * @default false
   */
  ping?: boolean | PingOptions | undefined;
  /**
   * Names the application is reached by. Requests with another name in `Host` are answered with 403: DNS rebinding, by
   * which a web page reads what a browser's own network answers, needs a name. Addresses and `localhost` always pass.
   *
   * @default any name
   */
  hosts?: readonly string[] | undefined;
}

/** Options of `scope.metrics()`. */
export interface MetricsOptions {
  /** Milliseconds for which one text answers all scrapes, 0 or more. @default 250 */
  cacheMillis?: number | undefined;
  /** Names the application is reached by, see {@link HealthOptions.hosts}. @default any name */
  hosts?: readonly string[] | undefined;
}

/**
 * Says how a part of the application is: `true` for healthy, `false` for critical, or an object with a status. What else
 * the object holds is shown where details are allowed. One that throws is critical.
 *
 * @param signal Aborted when the deadline has passed
 */
export type ComponentCheck = (signal: AbortSignal) => ComponentResult | Promise<ComponentResult>;

export type ComponentResult =
  | boolean
  | { readonly status: "healthy" | "warning" | "critical" | "unknown"; readonly [detail: string]: unknown };

export interface Component {
  check: ComponentCheck;
  /** Milliseconds after which a check that has not answered is critical, 1 or more. @default 500 */
  timeoutMillis?: number | undefined;
  /** Milliseconds for which one answer serves all requests, 0 or more. @default 1000 */
  cacheMillis?: number | undefined;
  /** Whether `/ready` answers 503 while it is critical. @default false */
  neededForReadiness?: boolean | undefined;
}

export interface PingOptions {
  /** Milliseconds after which a server that has not answered is not reachable, 1 or more. @default 500 */
  timeoutMillis?: number | undefined;
  /** Milliseconds for which one answer serves all requests, 0 or more. @default 5000, with `neededForReadiness` 1000 */
  cacheMillis?: number | undefined;
  /**
   * Whether `/ready` answers 503 while the server of a watched pool does not answer, also before the pool has dialed for
   * the first time. A server that answers without a free connection for the ping keeps the application ready. See
   * docs/health.md for when to choose it. @default false
   */
  neededForReadiness?: boolean | undefined;
}

/**
 * Whether this request may see details. Of a method's type, as all rules are: its parameter may be declared as what a
 * framework makes of a request, `(request: express.Request) => …`, which TypeScript refuses of a plain function's.
 */
export type DetailsRule = { rule(request: IncomingMessage): boolean | Promise<boolean> }["rule"];

/** Options of `scope.routes()`. */
export interface RoutesOptions {
  /**
   * The route of a request, instead of the pattern Express matched; where it returns undefined the pattern is taken.
   * Called with each route that matches, and before one does for each checkout and query, so it has to be quick. Put
   * nothing into it that differs from request to request.
   *
   * @default none
   */
  route?: RouteRule | undefined;
  /** Different routes kept apart, of all the scope's middleware together, 1 to 1000; the rest is `_OTHER`. @default 200 */
  maxRoutes?: number | undefined;
  /**
   * Adds the header `Server-Timing: db;dur=…, pool;dur=…` to responses: milliseconds of queries, and of waiting for
   * connections, that have ended when the headers are written. It tells clients how long the database took. A function is
   * asked at that moment; what it throws, or anything but `true`, adds none.
   *
   * @default false
   */
  serverTiming?: boolean | ServerTimingRule | undefined;
}

/** @returns The route, or undefined for the pattern Express matched */
export type RouteRule = { rule(request: IncomingMessage): string | undefined }["rule"];

/** Whether the response to this request may have a `Server-Timing`. */
export type ServerTimingRule = { rule(request: IncomingMessage): boolean }["rule"];

/** Options of `scope.shedLoad()`. Requests are shed where either limit is reached. */
export interface ShedLoadOptions {
  /**
   * Callers queued for a connection of one pool from which on requests are shed, 1 or more; until fewer than half as
   * many are. Those whose client has gone do not count, up to ten times as many.
   *
   * @default 10 for each connection the pool may open
   */
  maxWaiting?: number | undefined;
  /**
   * Milliseconds of expected wait above which requests are shed, 1 or more; until it is half of that. Expected are the
   * callers queued times the mean of the last holds, divided by the connections the pool may open. Best below the
   * pool's `connectionTimeoutMillis` and below what callers are ready to wait.
   *
   * @default 1000
   */
  maxWaitMillis?: number | undefined;
  /** Seconds after which callers are told to try again (`Retry-After`), 1 to 86400. @default 1 */
  retryAfterSeconds?: number | undefined;
  /** 503 says the service is overloaded, 429 that the caller sent too much. @default 503 */
  statusCode?: 429 | 503 | undefined;
  /**
   * Names of the pools that all requests behind the middleware need, watched before.
   *
   * @default for each request the pools that requests of its route have used; none of a route that has used none
   */
  pools?: readonly string[] | undefined;
  /**
   * Lets a request through whatever waits: `true` does, anything else does not. Asked only while requests are shed, and
   * has to answer at once. When it throws, the request is not let through, and the log says so once.
   */
  skip?: SkipRule | undefined;
  /**
   * `"answer"` answers with the status code and a line of JSON; `"next"` hands a PoolscopeError `POOLSCOPE_LOAD_SHED`
   * with `status`, `statusCode` and `headers` to the application's error handlers. `Retry-After` is set either way.
   *
   * @default "answer"
   */
  onShed?: "answer" | "next" | undefined;
}

/** Whether this request is let through while others are shed. */
export type SkipRule = { rule(request: IncomingMessage): boolean }["rule"];

/** Options of `scope.holders()`. */
export interface HoldersOptions {
  /** Ask the server too, by a short-lived connection of poolscope's own, what each backend does. @default false */
  joinServer?: boolean | undefined;
}

/** Options of `scope.gracefulShutdown()`. */
export interface GracefulShutdownOptions {
  /** The signals that begin it. @default ["SIGTERM", "SIGINT"] */
  signals?: readonly NodeJS.Signals[] | undefined;
  /**
   * Milliseconds between `/ready` turning to 503 and the server taking no more connections, 0 or more: the time load
   * balancers need to notice.
   *
   * @default 5000
   */
  delayMillis?: number | undefined;
  /**
   * Milliseconds requests under way and holders of connections may take after that, 1 or more. Then they are cut off.
   *
   * @default 10000
   */
  timeoutMillis?: number | undefined;
  /**
   * Whether to end the process after it, with `process.exitCode`, else 0. While other listeners of the signal may be at
   * work, the process ends when it has nothing left to do, and `timeoutMillis` later at the latest.
   *
   * @default true
   */
  exit?: boolean | undefined;
}

/** Options of `scope.shutdown()`. */
export interface ShutdownOptions {
  /** Milliseconds the last export, and at the same time the last messages of notifiers, may take, 1 or more. @default 5000 */
  timeoutMillis?: number | undefined;
}

/** Options of `poolscopeViews()`. */
export interface ViewsOptions {
  /** What `poolscope()` was given. With `"off"` the durations of the instrumentation are kept. @default "poolscope" */
  queries?: QuerySource | undefined;
}

/** What poolscope needs of a `MetricReader`. Those of `@opentelemetry/sdk-metrics` 2.x and 3.x fit. */
export interface MetricReaderLike {
  collect(options?: { timeoutMillis?: number }): Promise<{ resourceMetrics: object; errors: unknown[] }>;
  selectAggregationTemporality?(instrumentType: never): unknown;
}
