import { SizeAdvisor } from "./advice/size-advisor.ts";
import { AlertEngine } from "./alerts/alert-engine.ts";
import { Announcer } from "./alerts/announcer.ts";
import { Deliveries } from "./alerts/deliveries.ts";
import { rulesFrom } from "./alerts/rules.ts";
import { detach } from "./detached.ts";
import { Events } from "./events.ts";
import { getOrCreate } from "./get-or-create.ts";
import { type AssessedReading, assess } from "./health/assess.ts";
import { AssessedHistory } from "./health/assessed-history.ts";
import type { DatabaseSource } from "./health/database.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { DoubleCounting } from "./metrics/double-counting.ts";
import { ExportFlush } from "./metrics/export-flush.ts";
import { HostTelemetry } from "./metrics/host-telemetry.ts";
import { OwnTelemetry } from "./metrics/own-telemetry.ts";
import type { Telemetry } from "./metrics/telemetry.ts";
import { RequestCallers } from "./middleware/request-callers.ts";
import { RoutePools } from "./middleware/route-pools.ts";
import { Routes } from "./middleware/routes.ts";
import { nameFrom } from "./outside-text.ts";
import { InstrumentationPg } from "./queries/instrumentation-pg.ts";
import type { QueryTools } from "./queries/pool-queries.ts";
import { hookQueries } from "./queries/query-hooks.ts";
import { QueryNames } from "./queries/query-names.ts";
import { SlowQueries } from "./queries/slow-queries.ts";
import { EventLoopDelay } from "./readings/event-loop.ts";
import { MeterReadings } from "./readings/meter-readings.ts";
import type { PoolReading } from "./readings/pool-reading.ts";
import { Sampler } from "./readings/sampler.ts";
import { BudgetCheck } from "./server/budget-check.ts";
import { Pings } from "./server/ping.ts";
import { Recovery } from "./server/recovery.ts";
import type { QuerySettings, Settings, WatchSettings } from "./settings.ts";
import { AwakeClock } from "./watch/awake-clock.ts";
import { Callers } from "./watch/callers.ts";
import { LeakDetector, lookIntervalMillis } from "./watch/leak-detector.ts";
import { NestedCheckouts } from "./watch/nested-checkouts.ts";
import type { HookablePool } from "./watch/pg-types.ts";
import { poolAdvice } from "./watch/pool-advice.ts";
import type { PoolIdentity } from "./watch/pool-identity.ts";
import { PoolRegistry } from "./watch/registry.ts";
import { SpokenReports } from "./watch/spoken-reports.ts";
import { WatchedPool } from "./watch/watched-pool.ts";

/** Each beat wakes the process: five in a sample interval are enough, and no more than ten a second but for tests. */
const BEATS_PER_SAMPLE = 5;
const LONGEST_BEAT_MILLIS = 100;
const SHORTEST_BEAT_MILLIS = 10;

/** The parts of a scope, wired to each other: what goes on by itself, between the calls of the application. */
export class Engine {
  readonly settings: Settings;
  readonly registry: PoolRegistry = new PoolRegistry();
  readonly pings: Pings = new Pings(this.registry);
  readonly #recovery: Recovery;
  readonly lifecycle: Lifecycle = new Lifecycle();
  readonly #telemetry: Telemetry;
  readonly exportFlush: ExportFlush;
  readonly meter: MeterReadings;
  readonly history: AssessedHistory;
  readonly #advisor: SizeAdvisor;
  #service: string | undefined;
  readonly alerts: AlertEngine;
  readonly #deliveries: Deliveries;
  readonly events: Events;
  readonly slowQueries: SlowQueries;
  readonly #instrumentation: InstrumentationPg | undefined;
  readonly #queryTools: QueryTools | undefined;
  readonly #reports: SpokenReports;
  readonly #nesting: NestedCheckouts | undefined;
  readonly callers: Callers = new Callers();
  readonly requestCallers: RequestCallers = new RequestCallers(this.callers);
  readonly routePools: RoutePools = new RoutePools();
  readonly routes: Routes;
  readonly #clock: AwakeClock;
  readonly #eventLoop: EventLoopDelay;
  readonly budget: BudgetCheck;
  readonly #leaks: LeakDetector;
  /** By the `leakAfterMillis` of the pools that are looked at. */
  readonly #leakLooks = new Map<number, Sampler>();
  readonly #sampler: Sampler;

  constructor(settings: Settings) {
    const { host, logger } = settings;
    this.settings = settings;
    // First, because it may refuse.
    if (settings.queries.source === "instrumentation-pg") {
      this.#instrumentation = new InstrumentationPg(this.callers);
    }
    const buckets = settings.queries.durationBuckets;
    this.#telemetry = host
      ? new HostTelemetry(
          this.registry,
          host,
          settings.collectTimeoutMillis,
          buckets,
          logger,
          new DoubleCounting(logger, settings.queries.source),
        )
      : new OwnTelemetry(this.registry, settings.serviceName, settings.otlp, buckets, logger);
    this.exportFlush = new ExportFlush(this.#telemetry, logger);
    this.meter = new MeterReadings(this.#telemetry, this.registry);
    this.#recovery = new Recovery(this.registry, this.pings, settings.stuckAfterMillis / 1000);
    this.history = new AssessedHistory(settings);
    this.#advisor = new SizeAdvisor(settings.targetWaitMillis);
    this.events = new Events(logger);
    this.#deliveries = new Deliveries(settings.notifiers, logger);
    if (settings.notifiers.length > 0) this.#telemetry.observeNotifiers(this.#deliveries.counts);
    const announcer = new Announcer(logger, this.events, this.#deliveries);
    this.#service = settings.serviceName;
    const leakAfterMillisOf = (pool: string) => this.registry.get(pool)?.leakAfterMillis;
    this.alerts = alertEngine(settings, leakAfterMillisOf, () => this.#service, announcer);
    this.slowQueries = new SlowQueries(logger, this.events, settings.queries.slowMillis);
    const follow: QueryTools["follow"] = (queries) => hookQueries(queries, this.callers);
    this.#queryTools = queryTools(settings.queries, logger, this.#instrumentation?.follow ?? follow);
    this.routes = new Routes(this.requestCallers, this.#queryTools !== undefined, logger);
    this.#reports = new SpokenReports(logger, this.events, this.slowQueries);
    this.#nesting = settings.looksForNesting ? new NestedCheckouts() : undefined;
    this.#clock = new AwakeClock(beatMillis(settings.sampleIntervalMillis));
    // Without samples no window would ever close, and one block of the loop be reported for ever.
    this.#eventLoop = new EventLoopDelay(this.#clock, settings.sampleIntervalMillis);
    this.budget = new BudgetCheck(this.registry, settings.processes, logger);
    this.#leaks = new LeakDetector(this.#clock, this.#reports);
    this.registry.onAdd(({ name }) => {
      this.history.forget(name);
      this.#advisor.forget(name);
      this.alerts.forget(name);
      this.slowQueries.forget(name);
    });
    this.#sampler = new Sampler(settings.sampleIntervalMillis, () => this.#sample(), logger);
  }

  /** Begins to watch a pool that nobody watches yet. */
  watch(
    pool: HookablePool,
    { name, attributes }: PoolIdentity,
    given: Pick<WatchSettings, "poolSize" | "codedTimeouts" | "leakAfterMillis" | "longHolds">,
  ): WatchedPool {
    const { looksForNesting, logger } = this.settings;
    const { poolSize, codedTimeouts, longHolds, leakAfterMillis = this.settings.leakAfterMillis } = given;
    // A place that is compared has to be noted.
    const needsAllSites = looksForNesting || longHolds.length > 0;
    this.#instrumentation?.patchClientsOf(pool);
    const watched = new WatchedPool(pool, name, attributes, poolSize, {
      recorders: this.#telemetry.recorders(attributes),
      reports: this.#reports,
      nesting: this.#nesting,
      clock: this.#clock,
      callers: this.callers,
      queries: this.#queryTools,
      codesTimeouts: codedTimeouts,
      leakAfterMillis,
      longHolds,
      notesSites: needsAllSites ? "all" : leakAfterMillis > 0 ? "some" : undefined,
    });
    this.registry.add(watched);
    this.lifecycle.started();
    this.#looksForLeaks(leakAfterMillis);
    for (const advice of poolAdvice(pool.options)) logger.info(`${name} - ${advice}`);
    return watched;
  }

  /** One timer for all pools with the same `leakAfterMillis`. */
  #looksForLeaks(leakAfterMillis: number): void {
    getOrCreate(this.#leakLooks, leakAfterMillis, () => {
      const look = async () => {
        const pools = this.registry.all().filter((pool) => pool.leakAfterMillis === leakAfterMillis);
        this.#leaks.look(pools);
      };
      return new Sampler(lookIntervalMillis(leakAfterMillis), look, this.settings.logger);
    });
  }

  /** What health pages are made of: a pool that is down is asked after first. */
  healthSource(): DatabaseSource {
    return {
      read: async () => {
        const readings = await this.read();
        return (await this.#recovery.look(readings)) ? this.read() : readings;
      },
      usage: (pool, limit) => this.history.usage(pool, limit),
      slowQueries: (pool, limit) => this.slowQueries.worst(limit, pool),
      alerts: (pool) => this.alerts.list(pool).filter(({ state }) => state === "firing"),
    };
  }

  async read(): Promise<AssessedReading[]> {
    return this.#assess(await this.meter.read());
  }

  async #sample(): Promise<void> {
    this.#eventLoop.closeWindow();
    this.slowQueries.flush();
    // Before anything can fire. OpenTelemetry's reading of the environment is not loaded at the start.
    this.#service ??= nameFrom((await import("./metrics/own-resource.ts")).serviceNameOfEnvironment());
    const readings = this.#assess(await this.meter.sample());
    detach(() => this.#recovery.look(readings));
    this.#advisor.add(readings);
    this.history.add(readings, this.#eventLoop.maxSeconds);
    this.alerts.look(readings, this.#clock.now());
  }

  #assess(readings: readonly PoolReading[]): AssessedReading[] {
    const { maxSeconds } = this.#eventLoop;
    return readings.map((reading) =>
      assess(reading, this.settings, maxSeconds, this.#advisor.advise(reading)),
    );
  }

  /** Exports while the pools are still watched: the last numbers are true ones. */
  async end(timeoutMillis: number): Promise<void> {
    this.budget.stop();
    this.routes.stop();
    await this.#sampler.stop();
    await Promise.all([...this.#leakLooks.values()].map((looks) => looks.stop()));
    this.#clock.stop();
    this.alerts.end();
    const delivered = this.#deliveries.end(timeoutMillis);
    try {
      await this.#telemetry.shutdown(timeoutMillis);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.settings.logger.warn(`poolscope - the last export did not succeed: ${reason}`);
    }
    for (const pool of this.registry.all()) pool.detach();
    this.#nesting?.stop();
    this.#instrumentation?.stop();
    this.slowQueries.flush(true);
    await delivered;
  }
}

function beatMillis(sampleMillis: number): number {
  if (sampleMillis === 0) return LONGEST_BEAT_MILLIS;
  const beat = Math.ceil(sampleMillis / BEATS_PER_SAMPLE);
  return Math.min(LONGEST_BEAT_MILLIS, Math.max(SHORTEST_BEAT_MILLIS, beat));
}

function alertEngine(
  settings: Settings,
  leakAfterMillisOf: (pool: string) => number | undefined,
  service: () => string | undefined,
  announcer: Announcer,
): AlertEngine {
  const { leakAfterMillis, stuckAfterMillis, queries } = settings;
  const knobs = { leakAfterMillis, leakAfterMillisOf, stuckAfterMillis, slowQueryMillis: queries.slowMillis };
  return new AlertEngine(rulesFrom(settings.alerts, knobs), service, (alert) => announcer.tell(alert));
}

function queryTools(
  settings: QuerySettings,
  logger: Logger,
  follow: QueryTools["follow"],
): QueryTools | undefined {
  if (settings.source === "off") return undefined;
  return {
    names: settings.nameOf && new QueryNames(settings.nameOf, settings.maxNames, logger),
    follow,
    slowSeconds: settings.slowMillis === 0 ? Number.POSITIVE_INFINITY : settings.slowMillis / 1000,
  };
}
