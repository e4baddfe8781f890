import type { Alert } from "./alerts/alert.ts";
import { hasMethods, integerOption, nameOption } from "./check.ts";
import { Engine } from "./engine.ts";
import { expected, expectedSecret, PoolscopeError } from "./errors.ts";
import { EVENT_NAMES, type PoolscopeEvents } from "./events.ts";
import type { AssessedReading } from "./health/assess.ts";
import { cached } from "./health/cached-source.ts";
import { Components } from "./health/components.ts";
import { resolveGracefulShutdownOptions, resolveHealthOptions } from "./health/health-settings.ts";
import { pingComponent } from "./health/ping-component.ts";
import { healthRouter } from "./health/router.ts";
import { resolveMetricsOptions } from "./metrics/metrics-settings.ts";
import { type HttpHandler, prometheusHandler } from "./metrics/prometheus.ts";
import { resolveRoutesOptions } from "./middleware/route-settings.ts";
import { shedLoad } from "./middleware/shed-load.ts";
import { resolveShedLoadOptions } from "./middleware/shed-settings.ts";
import { mountedWithoutCall } from "./mounted-without-call.ts";
import type {
  GracefulShutdownOptions,
  HealthOptions,
  HoldersOptions,
  MetricsOptions,
  RoutesOptions,
  ShedLoadOptions,
  ShutdownOptions,
  WatchOptions,
} from "./options.ts";
import type { Poolscope } from "./poolscope.ts";
import type { SlowQueryGroup } from "./queries/slow-groups.ts";
import type { ConnectionBudget } from "./server/connection-budget.ts";
import { type Holder, holdersOf, joinServer } from "./server/holders.ts";
import {
  resolveFlushTimeout,
  resolveHoldersOptions,
  resolveShutdownOptions,
  resolveWatchOptions,
  type Settings,
} from "./settings.ts";
import { drainPools } from "./shutdown/drain-pools.ts";
import { type GracefulShutdown, gracefulShutdown } from "./shutdown/graceful-shutdown.ts";
import type { ClosableServer } from "./shutdown/server-connections.ts";
import { isPool, type PgPool } from "./watch/pg-types.ts";
import { MISREAD, poolIdentity } from "./watch/pool-identity.ts";
import type { PoolWatch } from "./watch/pool-watch.ts";
import type { WatchedPool } from "./watch/watched-pool.ts";

/** What the application calls: checks what it is given, and passes it on to the {@link Engine}. */
export class Scope implements Poolscope {
  readonly #engine: Engine;
  #shutdown: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#engine = new Engine(settings);
  }

  watch(pool: PgPool, options?: WatchOptions): PoolWatch {
    this.#assertRunning();
    if (!isPool(pool)) {
      throw expectedSecret("pool", `a pg.Pool${placeOfPool(pool)}`, pool, "POOLSCOPE_INVALID_POOL");
    }
    const settings = resolveWatchOptions(options, Number(pool.options.max));
    const { name, attributes } = settings;
    const already = this.#engine.registry.find(pool);
    if (already) {
      if (name === undefined || name === already.name) return already.handle;
      throw expected(
        "name",
        `"${already.name}", under which this pool is watched`,
        name,
        "POOLSCOPE_DUPLICATE_NAME",
      );
    }
    if (pool.ending) {
      const expectation = "a pg.Pool that is open: `end()` of this one was called, make a new one";
      throw expectedSecret("pool", expectation, pool, "POOLSCOPE_INVALID_POOL");
    }
    const identity = poolIdentity(
      pool,
      name,
      attributes,
      (taken) => this.#engine.registry.get(taken) !== undefined,
    );
    const watched = this.#engine.watch(pool, identity, settings);
    if (identity.isMisread) this.#engine.settings.logger.warn(`${watched.name} - ${MISREAD}`);
    return watched.handle;
  }

  keep(client: object, label: string = "kept"): boolean {
    if (!hasMethods(client, ["query"]) || isPool(client)) {
      throw expectedSecret("client", "a client that pool.connect() gave", client);
    }
    const words = nameOption("label", label, 60) ?? label;
    return this.#engine.registry.all().some((pool) => pool.keep(client, words));
  }

  health(options?: HealthOptions, ...more: unknown[]): HttpHandler {
    if (more.length > 0) return mountedWithoutCall("health", [options, ...more]);
    const { cacheMillis, details, components, ping, isServed } = resolveHealthOptions(options);
    const source = this.#engine.healthSource();
    const read = async () => {
      this.#assertRunning();
      return source.read();
    };
    const pools = () => this.#engine.registry.all().map(({ name }) => name);
    const parts = {
      source: cached({ ...source, read }, cacheMillis),
      components: new Components({
        ...components,
        ...(ping && { ping: pingComponent(this.#engine.pings, pools, ping) }),
      }),
      details,
      isServed,
      lifecycle: this.#engine.lifecycle,
      stuckAfterSeconds: this.#engine.settings.stuckAfterMillis / 1000,
    };
    const router = healthRouter(parts, this.#engine.settings.logger);
    this.#engine.routes.leaveOut(router);
    return router;
  }

  gracefulShutdown(server: ClosableServer, options?: GracefulShutdownOptions): GracefulShutdown {
    if (!hasMethods(server, ["close"])) throw expected("server", "an http.Server", server);
    const settings = resolveGracefulShutdownOptions(options);
    this.#assertRunning();
    return gracefulShutdown(server, settings, {
      lifecycle: this.#engine.lifecycle,
      logger: this.#engine.settings.logger,
      drain: (time) => drainPools(this.#engine.registry.all(), time, this.#engine.settings.logger),
      shutdown: () => this.shutdown(),
    });
  }

  routes(options?: RoutesOptions, ...more: unknown[]): HttpHandler {
    if (more.length > 0) return mountedWithoutCall("routes", [options, ...more]);
    return this.#engine.routes.middleware(resolveRoutesOptions(options));
  }

  metrics(options?: MetricsOptions, ...more: unknown[]): HttpHandler {
    if (more.length > 0) return mountedWithoutCall("metrics", [options, ...more]);
    const settings = resolveMetricsOptions(options);
    const collect = async () => {
      this.#assertRunning();
      return this.#engine.meter.prometheusText();
    };
    return prometheusHandler(collect, settings, this.#engine.settings.logger);
  }

  shedLoad(options?: ShedLoadOptions, ...more: unknown[]): HttpHandler {
    if (more.length > 0) return mountedWithoutCall("shedLoad", [options, ...more]);
    const settings = resolveShedLoadOptions(options);
    this.#assertRunning();
    for (const name of settings.pools ?? []) this.#watched("pools", name);
    const { registry, requestCallers: callers, routePools, settings: own } = this.#engine;
    return shedLoad({ registry, callers, routePools }, settings, own.logger);
  }

  async readings(): Promise<AssessedReading[]> {
    this.#assertRunning();
    return this.#engine.read();
  }

  history(name: string, limit?: number): AssessedReading[] {
    return this.#engine.history.last(name, integerOption("limit", limit, 10, { min: 1 }));
  }

  slowQueries(limit?: number): SlowQueryGroup[] {
    return this.#engine.slowQueries.worst(integerOption("limit", limit, 10, { min: 1 }));
  }

  alerts(): Alert[] {
    return this.#engine.alerts.list().filter(({ pool }) => this.#engine.registry.get(pool) !== undefined);
  }

  async holders(name: string, options?: HoldersOptions): Promise<Holder[]> {
    const { joinServer: isJoined } = resolveHoldersOptions(options);
    this.#assertRunning();
    const pool = this.#watched("name", name);
    const holders = holdersOf(pool);
    return isJoined ? joinServer(pool, holders, this.#engine.settings.collectTimeoutMillis) : holders;
  }

  async connectionBudget(): Promise<ConnectionBudget[]> {
    this.#assertRunning();
    return this.#engine.budget.budgets();
  }

  on<E extends keyof PoolscopeEvents>(event: E, listener: (data: PoolscopeEvents[E]) => void): () => void {
    if (!EVENT_NAMES.includes(event)) throw expected("event", EVENT_NAMES.join(", "), event);
    if (typeof listener !== "function") throw expected("listener", "a function", listener);
    return this.#engine.events.on(event, listener);
  }

  async flush(timeoutMillis?: number): Promise<void> {
    const limitMillis = resolveFlushTimeout(timeoutMillis);
    // The shutdown exports what there is, in a time of its own.
    await (this.#shutdown ?? this.#engine.exportFlush.run(limitMillis));
  }

  shutdown(options?: ShutdownOptions): Promise<void> {
    const { timeoutMillis } = resolveShutdownOptions(options);
    this.#engine.lifecycle.shuttingDown();
    this.#shutdown ??= this.#engine.end(timeoutMillis);
    return this.#shutdown;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #watched(option: string, name: string): WatchedPool {
    const pool = this.#engine.registry.get(name);
    if (pool) return pool;
    const names = this.#engine.registry.all().map((watched) => `\`${watched.name}\``);
    const known = names.length === 0 ? ", and none is watched yet" : `: ${listed(names)}`;
    throw expected(option, `the name of a watched pool${known}`, name, "POOLSCOPE_UNKNOWN_POOL");
  }

  #assertRunning(): void {
    if (this.#shutdown) throw new PoolscopeError("POOLSCOPE_SHUT_DOWN", "This scope is shut down");
  }
}

const MAX_LISTED = 20;

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Where the libraries on top of pg keep their pool. */
const POOLS_WITHIN: Readonly<Record<string, (library: Library) => unknown>> = {
  $client: ({ $client }) => $client,
  $pool: ({ $pool }) => $pool,
  "driver.master": ({ driver }) => driver?.master,
};

interface Library {
  readonly $client?: unknown;
  readonly $pool?: unknown;
  readonly driver?: { readonly master?: unknown } | undefined;
}

/** A hint at the pool within what was given; empty where there is none. */
function placeOfPool(given: unknown): string {
  if (typeof given !== "object" && typeof given !== "function") return "";
  for (const [place, within] of Object.entries(POOLS_WITHIN)) {
    try {
      if (isPool(within(given as Library))) return ` (the one in its \`${place}\`)`;
    } catch {
      // A Proxy or a getter that refuses.
    }
  }
  return "";
}
