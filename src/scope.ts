import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { SizeAdvisor } from "./advice/size-advisor.ts";
import type { Alert } from "./alerts/alert.ts";
import { AlertEngine } from "./alerts/alert-engine.ts";
import { Announcer } from "./alerts/announcer.ts";
import { Deliveries } from "./alerts/deliveries.ts";
import { rulesFrom } from "./alerts/rules.ts";
import { hasMethods, integerOption } from "./check.ts";
import { expected, expectedSecret, PoolscopeError } from "./errors.ts";
import { EVENT_NAMES, Events, type PoolscopeEvents } from "./events.ts";
import { type AssessedReading, assess } from "./health/assess.ts";
import { cached } from "./health/cached-source.ts";
import { Components } from "./health/components.ts";
import type { DatabaseSource } from "./health/database.ts";
import { resolveGracefulShutdownOptions, resolveHealthOptions } from "./health/health-settings.ts";
import { pingComponent } from "./health/ping-component.ts";
import { healthRouter } from "./health/router.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { DoubleCounting } from "./metrics/double-counting.ts";
import { HostTelemetry } from "./metrics/host-telemetry.ts";
import { OwnTelemetry } from "./metrics/own-telemetry.ts";
import { type HttpHandler, prometheusHandler } from "./metrics/prometheus.ts";
import { serviceName } from "./metrics/service-name.ts";
import type { Telemetry } from "./metrics/telemetry.ts";
import { resolveRoutesOptions } from "./middleware/route-settings.ts";
import { Routes } from "./middleware/routes.ts";
import { shedLoad } from "./middleware/shed-load.ts";
import { resolveShedLoadOptions } from "./middleware/shed-settings.ts";
import type {
  GracefulShutdownOptions,
  HealthOptions,
  HoldersOptions,
  RoutesOptions,
  ShedLoadOptions,
  ShutdownOptions,
  WatchOptions,
} from "./options.ts";
import type { Poolscope } from "./poolscope.ts";
import { InstrumentationPg } from "./queries/instrumentation-pg.ts";
import type { QueryTools } from "./queries/pool-queries.ts";
import { hookQueries } from "./queries/query-hooks.ts";
import { QueryNames } from "./queries/query-names.ts";
import type { SlowQueryGroup } from "./queries/slow-groups.ts";
import { SlowQueries } from "./queries/slow-queries.ts";
import { EventLoopDelay } from "./readings/event-loop.ts";
import { History } from "./readings/history.ts";
import { MeterReadings } from "./readings/meter-readings.ts";
import type { PoolReading } from "./readings/pool-reading.ts";
import { Sampler } from "./readings/sampler.ts";
import { BudgetCheck } from "./server/budget-check.ts";
import type { ConnectionBudget } from "./server/connection-budget.ts";
import { type Holder, holdersOf, joinServer } from "./server/holders.ts";
import { Pings } from "./server/ping.ts";
import { Recovery } from "./server/recovery.ts";
import {
  type QuerySettings,
  resolveHoldersOptions,
  resolveShutdownOptions,
  resolveWatchOptions,
  type Settings,
} from "./settings.ts";
import { drainPools } from "./shutdown/drain-pools.ts";
import {
  type ClosableServer,
  type GracefulShutdown,
  gracefulShutdown,
} from "./shutdown/graceful-shutdown.ts";
import { Callers } from "./watch/callers.ts";
import { LeakDetector } from "./watch/leak-detector.ts";
import { type NestedCheckouts, noNestedCheckouts, TrackedNesting } from "./watch/nested-checkouts.ts";
import { isPool, type PgPool } from "./watch/pg-types.ts";
import { poolAdvice } from "./watch/pool-advice.ts";
import { poolIdentity } from "./watch/pool-identity.ts";
import type { PoolWatch } from "./watch/pool-watch.ts";
import { PoolRegistry } from "./watch/registry.ts";
import { SpokenReports } from "./watch/spoken-reports.ts";
import { WatchedPool } from "./watch/watched-pool.ts";

/** Wires the parts and does nothing else. */
export class Scope implements Poolscope {
  readonly #settings: Settings;
  readonly #registry = new PoolRegistry();
  readonly #pings = new Pings(this.#registry);
  readonly #recovery: Recovery;
  readonly #lifecycle = new Lifecycle();
  readonly #telemetry: Telemetry;
  readonly #readings: MeterReadings;
  readonly #history: History<AssessedReading>;
  readonly #advisor: SizeAdvisor;
  readonly #alerts: AlertEngine;
  readonly #deliveries: Deliveries;
  readonly #events: Events;
  readonly #slowQueries: SlowQueries;
  readonly #instrumentation: InstrumentationPg | undefined;
  readonly #queryTools: QueryTools | undefined;
  readonly #reports: SpokenReports;
  readonly #nesting: NestedCheckouts;
  readonly #callers = new Callers();
  readonly #routes: Routes;
  readonly #eventLoop: EventLoopDelay;
  readonly #budget: BudgetCheck;
  readonly #leakLooks: Sampler;
  readonly #sampler: Sampler;
  #shutdown: Promise<void> | undefined;

  constructor(settings: Settings) {
    const { host, logger } = settings;
    this.#settings = settings;
    // First, because it may refuse.
    if (settings.queries.source === "instrumentation-pg") {
      this.#instrumentation = new InstrumentationPg(this.#callers);
    }
    const buckets = settings.queries.durationBuckets;
    this.#telemetry = host
      ? new HostTelemetry(
          this.#registry,
          host.meterProvider,
          host.reader,
          buckets,
          logger,
          new DoubleCounting(logger, settings.queries.source),
        )
      : new OwnTelemetry(this.#registry, settings.serviceName, settings.otlp, buckets, logger);
    this.#readings = new MeterReadings(this.#telemetry, this.#registry, settings.collectTimeoutMillis);
    this.#recovery = new Recovery(this.#registry, this.#pings, settings.stuckAfterMillis / 1000);
    this.#history = new History(settings.historySize);
    this.#advisor = new SizeAdvisor(settings.targetWaitMillis);
    this.#events = new Events(logger);
    this.#deliveries = new Deliveries(settings.notifiers, logger);
    if (settings.notifiers.length > 0) this.#telemetry.observeNotifiers(this.#deliveries.counts);
    const announcer = new Announcer(logger, this.#events, this.#deliveries);
    this.#alerts = alertEngine(settings, announcer);
    this.#slowQueries = new SlowQueries(logger, this.#events, settings.queries.slowMillis);
    const follow: QueryTools["follow"] = (client, queries) => hookQueries(client, queries, this.#callers);
    this.#queryTools = queryTools(settings.queries, logger, this.#instrumentation?.follow ?? follow);
    this.#routes = new Routes(this.#callers, this.#queryTools !== undefined, logger);
    this.#reports = new SpokenReports(logger, this.#events, this.#slowQueries);
    this.#nesting = settings.looksForNesting ? new TrackedNesting() : noNestedCheckouts;
    // Without samples no window would ever close, and one block of the loop be told for ever.
    this.#eventLoop = new EventLoopDelay(settings.sampleIntervalMillis);
    this.#budget = new BudgetCheck(this.#registry, settings.processes, logger);
    const leaks = new LeakDetector(settings.leakAfterMillis, (...leak) => this.#reports.leak(...leak));
    const look = async () => leaks.look(this.#registry.all());
    this.#leakLooks = new Sampler(leaks.intervalMillis, look, logger);
    this.#registry.onAdd(({ name }) => {
      this.#history.forget(name);
      this.#advisor.forget(name);
      this.#alerts.forget(name);
      this.#slowQueries.forget(name);
    });
    this.#sampler = new Sampler(settings.sampleIntervalMillis, () => this.#sample(), logger);
  }

  watch(pool: PgPool, options?: WatchOptions): PoolWatch {
    this.#assertRunning();
    if (!isPool(pool)) {
      throw expectedSecret("pool", "a pg.Pool", pool, "POOLSCOPE_INVALID_POOL");
    }
    const { name, poolSize, attributes, codedTimeouts } = resolveWatchOptions(
      options,
      Number(pool.options.max),
    );
    const already = this.#registry.find(pool);
    if (already) {
      if (name === undefined || name === already.name) return already.handle;
      throw expected(
        "name",
        `"${already.name}", under which this pool is watched`,
        name,
        "POOLSCOPE_DUPLICATE_NAME",
      );
    }
    const identity = poolIdentity(pool, name, attributes, (taken) => this.#registry.get(taken) !== undefined);
    this.#instrumentation?.patchClientsOf(pool);
    const watched = new WatchedPool(pool, identity.name, identity.attributes, poolSize, {
      recorders: this.#telemetry.recorders(identity.attributes),
      reports: this.#reports,
      nesting: this.#nesting,
      callers: this.#callers,
      queries: this.#queryTools,
      codesTimeouts: codedTimeouts,
      notesSites: this.#settings.leakAfterMillis > 0 || this.#settings.looksForNesting,
    });
    this.#registry.add(watched);
    this.#lifecycle.started();
    for (const advice of poolAdvice(pool.options)) this.#settings.logger.info(`${watched.name} - ${advice}`);
    return watched.handle;
  }

  health(options?: HealthOptions): HttpHandler {
    const { cacheMillis, details, components, ping } = resolveHealthOptions(options);
    const source: DatabaseSource = {
      read: async () => {
        const readings = await this.readings();
        return (await this.#recovery.look(readings)) ? this.readings() : readings;
      },
      history: (pool, limit) => this.#history.last(pool, limit),
      slowQueries: (pool, limit) => this.#slowQueries.worst(limit, pool),
      alerts: (pool) => this.#alerts.list(pool).filter(({ state }) => state === "firing"),
    };
    const pools = () => this.#registry.all().map(({ name }) => name);
    return healthRouter({
      source: cached(source, cacheMillis),
      components: new Components({
        ...components,
        ...(ping && { ping: pingComponent(this.#pings, pools, ping) }),
      }),
      details,
      lifecycle: this.#lifecycle,
      stuckAfterSeconds: this.#settings.stuckAfterMillis / 1000,
    });
  }

  gracefulShutdown(server: ClosableServer, options?: GracefulShutdownOptions): GracefulShutdown {
    if (!hasMethods(server, ["close"])) throw expected("server", "an http.Server", server);
    const settings = resolveGracefulShutdownOptions(options);
    this.#assertRunning();
    return gracefulShutdown(server, settings, {
      lifecycle: this.#lifecycle,
      logger: this.#settings.logger,
      drain: (timeoutMillis) => drainPools(this.#registry.all(), timeoutMillis, this.#settings.logger),
      shutdown: () => this.shutdown(),
    });
  }

  routes(options?: RoutesOptions): HttpHandler {
    return this.#routes.middleware(resolveRoutesOptions(options));
  }

  metrics(): HttpHandler {
    return prometheusHandler(async (): Promise<ResourceMetrics> => {
      this.#assertRunning();
      return (await this.#readings.collect()).resourceMetrics;
    });
  }

  shedLoad(options?: ShedLoadOptions): HttpHandler {
    const settings = resolveShedLoadOptions(options);
    this.#assertRunning();
    for (const name of settings.pools ?? []) this.#watched("pools", name);
    return shedLoad(this.#registry, settings, this.#settings.logger);
  }

  async readings(): Promise<AssessedReading[]> {
    this.#assertRunning();
    return this.#assess(await this.#readings.read());
  }

  history(name: string, limit?: number): AssessedReading[] {
    return this.#history.last(name, integerOption("limit", limit, 10, { min: 1 }));
  }

  slowQueries(limit?: number): SlowQueryGroup[] {
    return this.#slowQueries.worst(integerOption("limit", limit, 10, { min: 1 }));
  }

  alerts(): Alert[] {
    return this.#alerts.list().filter(({ pool }) => this.#registry.get(pool) !== undefined);
  }

  async holders(name: string, options?: HoldersOptions): Promise<Holder[]> {
    const { joinServer: isJoined } = resolveHoldersOptions(options);
    this.#assertRunning();
    const pool = this.#watched("name", name);
    const holders = holdersOf(pool);
    return isJoined ? joinServer(pool, holders, this.#settings.collectTimeoutMillis) : holders;
  }

  async connectionBudget(): Promise<ConnectionBudget[]> {
    this.#assertRunning();
    return this.#budget.budgets();
  }

  on<E extends keyof PoolscopeEvents>(event: E, listener: (data: PoolscopeEvents[E]) => void): () => void {
    if (!EVENT_NAMES.includes(event)) throw expected("event", EVENT_NAMES.join(", "), event);
    if (typeof listener !== "function") throw expected("listener", "a function", listener);
    return this.#events.on(event, listener);
  }

  shutdown(options?: ShutdownOptions): Promise<void> {
    const { timeoutMillis } = resolveShutdownOptions(options);
    this.#lifecycle.shuttingDown();
    this.#shutdown ??= this.#end(timeoutMillis);
    return this.#shutdown;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  async #sample(): Promise<void> {
    this.#eventLoop.closeWindow();
    this.#slowQueries.flush();
    const readings = this.#assess(await this.#readings.sample());
    void this.#recovery.look(readings);
    this.#advisor.add(readings);
    this.#history.add(readings);
    this.#alerts.look(readings);
  }

  #assess(readings: readonly PoolReading[]): AssessedReading[] {
    const { maxSeconds } = this.#eventLoop;
    return readings.map((reading) =>
      assess(reading, this.#settings, maxSeconds, this.#advisor.advise(reading)),
    );
  }

  /** Exports while the pools are still watched: the last numbers are true ones. */
  async #end(timeoutMillis: number): Promise<void> {
    this.#budget.stop();
    await this.#sampler.stop();
    await this.#leakLooks.stop();
    this.#eventLoop.stop();
    this.#alerts.end();
    const delivered = this.#deliveries.end(timeoutMillis);
    try {
      await this.#telemetry.shutdown(timeoutMillis);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#settings.logger.warn(`poolscope - the last export did not succeed: ${reason}`);
    }
    for (const pool of this.#registry.all()) pool.detach();
    this.#instrumentation?.stop();
    this.#slowQueries.flush(true);
    await delivered;
  }

  #watched(option: string, name: string): WatchedPool {
    const pool = this.#registry.get(name);
    if (pool) return pool;
    throw expected(option, "the name of a watched pool", name, "POOLSCOPE_UNKNOWN_POOL");
  }

  #assertRunning(): void {
    if (this.#shutdown) throw new PoolscopeError("POOLSCOPE_SHUT_DOWN", "This scope is shut down");
  }
}

function alertEngine(settings: Settings, announcer: Announcer): AlertEngine {
  const { leakAfterMillis, stuckAfterMillis, queries } = settings;
  const knobs = { leakAfterMillis, stuckAfterMillis, slowQueryMillis: queries.slowMillis };
  const service = serviceName(settings.serviceName);
  return new AlertEngine(rulesFrom(settings.alerts, knobs), service, (alert) => announcer.tell(alert));
}

function queryTools(
  settings: QuerySettings,
  logger: Logger,
  follow: QueryTools["follow"],
): QueryTools | undefined {
  if (settings.source === "off") return undefined;
  return {
    names: new QueryNames(settings.nameOf, settings.maxNames, logger),
    follow,
    slowSeconds: settings.slowMillis === 0 ? Number.POSITIVE_INFINITY : settings.slowMillis / 1000,
  };
}
