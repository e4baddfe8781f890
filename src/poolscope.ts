import type { Alert } from "./alerts/alert.ts";
import { expectedSecret } from "./errors.ts";
import type { PoolscopeEvents } from "./events.ts";
import type { AssessedReading } from "./health/assess.ts";
import type { HttpHandler } from "./metrics/prometheus.ts";
import type {
  GracefulShutdownOptions,
  HealthOptions,
  HoldersOptions,
  MetricsOptions,
  PoolscopeOptions,
  RoutesOptions,
  ShedLoadOptions,
  ShutdownOptions,
  WatchOptions,
} from "./options.ts";
import type { SlowQueryGroup } from "./queries/slow-groups.ts";
import { Scope } from "./scope.ts";
import type { ConnectionBudget } from "./server/connection-budget.ts";
import type { Holder } from "./server/holders.ts";
import { resolveOptions } from "./settings.ts";
import type { GracefulShutdown } from "./shutdown/graceful-shutdown.ts";
import type { ClosableServer } from "./shutdown/server-connections.ts";
import { isPool, type PgPool } from "./watch/pg-types.ts";
import type { PoolWatch } from "./watch/pool-watch.ts";

/** What {@link poolscope} gives: everything an application does with its pools' numbers. */
export interface Poolscope extends AsyncDisposable {
  /**
   * Watches one pool, from now on. Watching it again gives the same watch.
   *
   * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`, `POOLSCOPE_DUPLICATE_NAME`, `POOLSCOPE_INVALID_OPTION`,
   * `POOLSCOPE_SHUT_DOWN`
   */
  watch(pool: PgPool, options?: WatchOptions): PoolWatch;
  /**
   * Declares that a connection is held for good on purpose, until it is released: it is `kept`, and no suspected leak.
   *
   * @param client What `pool.connect()` gave
   * @param label What it is for, 1 to 60 characters, as `holders()` and the log show it; default `kept`
   * @returns Whether a watched pool has handed out this client
   * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
   */
  keep(client: object, label?: string): boolean;
  /**
   * An Express router that serves `/`, `/database`, `/database/:pool`, `/ready`, `/started` and `/live` as JSON. Express
   * 4 and 5.
   */
  health(options?: HealthOptions): HttpHandler;
  /**
   * Express middleware that measures by route (`http.route`) how long requests wait for connections, hold them and
   * query. Goes before the routes and whatever else uses a pool. Express 4 and 5. See docs/routes.md.
   *
   * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
   */
  routes(options?: RoutesOptions): HttpHandler;
  /**
   * A handler that serves the metrics as Prometheus text.
   *
   * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`
   */
  metrics(options?: MetricsOptions): HttpHandler;
  /**
   * Express middleware that refuses requests while too many callers wait for a connection of a pool that their route uses:
   * 503 with `Retry-After`, before the request queues too. Mount it behind health and metrics, before the routes that use the
   * pool. Express 4 and 5.
   *
   * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`, `POOLSCOPE_UNKNOWN_POOL`, `POOLSCOPE_SHUT_DOWN`
   */
  shedLoad(options?: ShedLoadOptions): HttpHandler;
  /**
   * One fresh reading for each watched pool.
   *
   * @returns Rejects with PoolscopeError `POOLSCOPE_READING_FAILED` when the meter cannot be read, `POOLSCOPE_SHUT_DOWN`
   * after {@link shutdown}; it never gives an old number
   */
  readings(): Promise<AssessedReading[]>;
  /**
   * The youngest samples of one pool, oldest first; none for a pool that was never sampled.
   *
   * @param limit How many at most, 1 or more; default 10.
   */
  history(name: string, limit?: number): AssessedReading[];
  /**
   * The worst of the slow queries of the last five to ten minutes, grouped by what is left when literals are replaced:
   * those with the most time together first.
   *
   * @param limit How many at most, 1 or more; default 10.
   */
  slowQueries(limit?: number): SlowQueryGroup[];
  /** What is pending or firing now, as the last sample saw it; see the option `alerts`. */
  alerts(): Alert[];
  /**
   * Who holds the connections of one pool now, longest first: since when, since where, doing what.
   *
   * @returns Rejects with PoolscopeError `POOLSCOPE_UNKNOWN_POOL`; with `joinServer`, with pg's error when the server
   * cannot be asked
   */
  holders(name: string, options?: HoldersOptions): Promise<Holder[]>;
  /**
   * Whether all watched pools of all processes (option `processes`) can be full at once: one budget for each server,
   * which is asked by a short-lived connection of poolscope's own.
   *
   * @returns Rejects with pg's error when a server cannot be asked
   */
  connectionBudget(): Promise<ConnectionBudget[]>;
  /**
   * Listens to an event of any watched pool, see {@link PoolscopeEvents}. What a listener throws is logged.
   *
   * @returns Takes the listener away again
   */
  on<E extends keyof PoolscopeEvents>(event: E, listener: (data: PoolscopeEvents[E]) => void): () => void;
  /**
   * Ends the application on `SIGTERM` and `SIGINT`. `/ready` turns to 503, and answers carry `Connection: close`. After
   * `delayMillis` the server takes no more connections; requests under way and holders of connections are waited for;
   * the pools end, the last numbers are exported, and the process exits. Nothing of it throws or rejects.
   *
   * A second signal skips the delay. Another one, a second or more later, ends the process at once, as if killed by it.
   * While other listeners of the signal may be at work, the process ends on its own, or after `timeoutMillis` more.
   *
   * @param server What `app.listen()` returned
   * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`, `POOLSCOPE_SHUT_DOWN`
   */
  gracefulShutdown(server: ClosableServer, options?: GracefulShutdownOptions): GracefulShutdown;
  /**
   * Exports now what was recorded so far, and goes on: at the end of an invocation of a serverless function, and in
   * tests. Flushes the OTLP push of the scope, or the application's `meterProvider`; without either it does nothing.
   *
   * @param timeoutMillis How long it may take, 1 or more; default 5000.
   * @returns Resolves when the export is acknowledged, has failed (which is logged), or the time is over; after
   * {@link shutdown}, with that. Rejects for a wrong `timeoutMillis` alone
   */
  flush(timeoutMillis?: number): Promise<void>;
  /** Resolves all alerts, sends what is still to be sent, lets go of every pool and stops all timers. Safe to call again. */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

/**
 * Makes a scope: nothing global is touched and nothing is watched until {@link Poolscope.watch}.
 *
 * @throws PoolscopeError `POOLSCOPE_INVALID_OPTION`, naming the option, what was expected and what was given
 */
export function poolscope(options?: PoolscopeOptions): Poolscope {
  if (isPool(options)) {
    const expectation = "options: a pool is watched by the scope, `poolscope().watch(pool)`";
    throw expectedSecret("options", expectation, options);
  }
  return new Scope(resolveOptions(options, process.env));
}
