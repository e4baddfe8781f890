import type { Caller, CallerTask } from "../watch/callers.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { ExpressRequest } from "./express-shapes.ts";
import type { RouteName } from "./route-name.ts";
import { OTHER_ROUTE, type RouteNames } from "./route-names.ts";
import type { RoutePools } from "./route-pools.ts";
import type { RouteMetric, RouteSeries } from "./route-series.ts";

/** Measurements of one request that wait for its route. Those beyond are `_OTHER`'s. */
const MAX_PENDING = 100;

interface Pending {
  readonly pool: PoolRecorders;
  readonly metric: RouteMetric;
  readonly seconds: number;
}

/** What `routes()` measures of a request: by the name of its route. */
export interface RouteMeasures {
  readonly name: RouteName;
  readonly names: RouteNames;
  readonly series: RouteSeries;
}

/**
 * One HTTP request and the pool use attributed to it. Flows that outlive the response keep this object, so it lets go of
 * the request when the response closes.
 */
export class RequestCaller implements Caller {
  waitSeconds = 0;
  querySeconds = 0;
  /** Whether it has a `Server-Timing` to come. */
  isTimed = false;
  /** Undefined where `routes()` does not measure the request. */
  measures: RouteMeasures | undefined;
  /** Where `shedLoad()` learns which pools a route uses. */
  routePools: RoutePools | undefined;
  #request: ExpressRequest | undefined;
  /** A closed request that no route had matched yet: its client left while the application was still at it. */
  #late: WeakRef<ExpressRequest> | undefined;
  #finalRoute: string | undefined;
  #pending: Pending[] = [];
  /** Of the last use that was learned: most requests use one pool in one route. */
  #lastPool: PoolRecorders | undefined;
  #lastRoute: unknown;
  readonly #used = new Set<PoolRecorders>();

  constructor(request: ExpressRequest) {
    this.#request = request;
  }

  /** Nothing waits for what the request does any more: its client has gone, or was answered. */
  get isGone(): boolean {
    // The responses behind another one do not close with their connection.
    return !this.#request || this.#request.socket?.destroyed === true;
  }

  starts(pool: PoolRecorders): CallerTask {
    if (this.routePools && this.#request) this.#learn(pool, this.#request, this.routePools);
    return new RequestTask(this, pool, this.#route());
  }

  #learn(pool: PoolRecorders, request: ExpressRequest, routePools: RoutePools): void {
    const { route } = request;
    if (pool === this.#lastPool && route === this.#lastRoute) return;
    this.#lastPool = pool;
    this.#lastRoute = route;
    this.#used.add(pool);
    try {
      routePools.used(request, pool);
    } catch {
      // An application of a shape that is not known: its requests are let through.
    }
  }

  /** @param route Where the request was when it asked, if that was known */
  record(pool: PoolRecorders, metric: RouteMetric, seconds: number, route: string | undefined): void {
    if (!this.measures) return;
    const known = route ?? this.#route();
    if (known === undefined && this.#request && this.#pending.length < MAX_PENDING) {
      this.#pending.push({ pool, metric, seconds });
    } else {
      this.measures.series.record(pool, metric, known ?? OTHER_ROUTE, seconds);
    }
  }

  /** The response is over: what is still without a route gets the last one, or none. */
  close(): void {
    const request = this.#request;
    if (!request) return;
    this.#finalRoute = this.#route();
    if (this.measures && this.#finalRoute === undefined) this.#late = new WeakRef(request);
    this.#request = undefined;
    for (const { pool, metric, seconds } of this.#pending) {
      this.measures?.series.record(pool, metric, this.#finalRoute ?? OTHER_ROUTE, seconds);
    }
    this.#pending = [];
    try {
      this.routePools?.ended(request, this.#used);
    } catch {
      // As above.
    }
    this.#used.clear();
  }

  #route(): string | undefined {
    if (!this.measures) return undefined;
    const request = this.#request ?? this.#late?.deref();
    if (!request) return this.#finalRoute;
    try {
      return this.measures.name.of(request);
    } catch (error) {
      this.measures.names.failed("the request's route", error);
      return undefined;
    }
  }
}

class RequestTask implements CallerTask {
  readonly #caller: RequestCaller;
  readonly #pool: PoolRecorders;
  readonly #route: string | undefined;

  constructor(caller: RequestCaller, pool: PoolRecorders, route: string | undefined) {
    this.#caller = caller;
    this.#pool = pool;
    this.#route = route;
  }

  get isGone(): boolean {
    return this.#caller.isGone;
  }

  waited(seconds: number): void {
    this.#caller.waitSeconds += seconds;
    this.#caller.record(this.#pool, "routeWaitTime", seconds, this.#route);
  }

  used(seconds: number): void {
    this.#caller.record(this.#pool, "routeUseTime", seconds, this.#route);
  }

  queried(seconds: number): void {
    this.#caller.querySeconds += seconds;
    this.#caller.record(this.#pool, "routeQueryTime", seconds, this.#route);
  }
}
