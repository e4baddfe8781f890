import type { IncomingMessage } from "node:http";
import type { MeterProvider } from "@opentelemetry/api";
import type { Logger } from "./logger.ts";

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
  /** Where warnings go: anything shaped like `console`. @default OpenTelemetry's `diag`, silent until a logger is set */
  logger?: Logger | undefined;
  /** Where a pool's status changes, as used/capacity. */
  thresholds?: Thresholds | undefined;
  /** When a log line says that usage is high, and when that it is normal again, as used/capacity. */
  usageAlert?: UsageAlert | undefined;
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
   * Milliseconds after which a connection held by the application is reported as a suspected leak, 10 or more; 0 reports
   * none, and notes no places in the code. Only connections of `pool.connect()` count.
   *
   * @default 60000
   */
  leakAfterMillis?: number | undefined;
  /**
   * `"warn"` looks for callers that ask for a connection of a pool while they hold one of it, which can end with all of
   * them waiting for each other. Follows asynchronous flows with AsyncLocalStorage, which costs something per checkout.
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
  queries?: "poolscope" | "instrumentation-pg" | "off" | undefined;
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

/** Where a pool's status changes. Both in (0, 1], `warning` below `critical`. */
export interface Thresholds {
  /** From here on `warning`. @default 0.75 */
  warning?: number | undefined;
  /** From here on `critical`. @default 0.9 */
  critical?: number | undefined;
}

/** When usage is called high. Both in (0, 1], `leave` not above `enter`. */
export interface UsageAlert {
  /** High from here on. @default 0.8 */
  enter?: number | undefined;
  /** Normal below this. @default 0.75, or `enter` when that is lower */
  leave?: number | undefined;
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
   * The pool's name in metrics, health and logs, up to 120 characters; unique among the pools watched.
   *
   * @default the database's name, else the server's address; with `-2`, `-3` … where that is taken
   */
  name?: string | undefined;
  /**
   * How many connections are meant for ordinary load, 1 to the pool's `max`. What is used beyond is overflow.
   *
   * @default the pool's `min` when it is above 0, else its `max`
   */
  poolSize?: number | undefined;
  /** More attributes for every metric of this pool: a few, with few values each. */
  attributes?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** Options of `scope.health()`. */
export interface HealthOptions {
  /** Milliseconds for which one reading answers all probes, 0 or more. @default 250 */
  cacheMillis?: number | undefined;
  /**
   * Who may see details: the redacted SQL of slow queries. A function is asked for each request; what it throws, or
   * anything but `true`, hides them.
   *
   * @default "never"
   */
  details?: "never" | "always" | DetailsRule | undefined;
}

/** Whether this request may see details. */
export type DetailsRule = (request: IncomingMessage) => boolean | Promise<boolean>;

/** Options of `scope.shedLoad()`. Requests are shed where either limit is reached. */
export interface ShedLoadOptions {
  /**
   * Callers queued for a connection of one pool from which on requests are shed, 1 or more; until fewer than half as
   * many are.
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
  /** Names of the pools the requests need, watched before. @default every watched pool, also those to come */
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
export type SkipRule = (request: IncomingMessage) => boolean;

/** Options of `scope.holders()`. */
export interface HoldersOptions {
  /** Ask the server too, by a short-lived connection of poolscope's own, what each backend does. @default false */
  joinServer?: boolean | undefined;
}

/** Options of `scope.shutdown()`. */
export interface ShutdownOptions {
  /** Milliseconds the last export may take, 1 or more. @default 5000 */
  timeoutMillis?: number | undefined;
}

/** What poolscope needs of a `MetricReader`. Those of `@opentelemetry/sdk-metrics` 2.x and 3.x fit. */
export interface MetricReaderLike {
  collect(options?: { timeoutMillis?: number }): Promise<{ resourceMetrics: object; errors: unknown[] }>;
  selectAggregationTemporality?(instrumentType: never): unknown;
}
