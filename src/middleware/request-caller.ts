import type { Caller, CallerTask } from "../watch/callers.ts";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { ExpressRequest } from "./express-shapes.ts";
import type { RouteName } from "./route-name.ts";
import { OTHER_ROUTE, type RouteNames } from "./route-names.ts";
import type { RouteMetric, RouteSeries } from "./route-series.ts";

/** Measurements of one request that wait for its route. Those beyond are `_OTHER`'s. */
const MAX_PENDING = 100;

interface Pending {
  readonly pool: PoolRecorders;
  readonly metric: RouteMetric;
  readonly seconds: number;
}

/**
 * One HTTP request and the pool use put down to it. Flows that outlive the response keep this object, so it lets go of
 * the request when the response closes.
 */
export class RequestCaller implements Caller {
  waitSeconds = 0;
  querySeconds = 0;
  /** Whether it has a `Server-Timing` to come. */
  isTimed = false;
  readonly #name: RouteName;
  readonly #names: RouteNames;
  readonly #series: RouteSeries;
  #request: ExpressRequest | undefined;
  /** A closed request that no route had matched yet: its client left while the application was still at it. */
  #late: WeakRef<ExpressRequest> | undefined;
  #finalRoute: string | undefined;
  #pending: Pending[] = [];

  constructor(request: ExpressRequest, name: RouteName, names: RouteNames, series: RouteSeries) {
    this.#request = request;
    this.#name = name;
    this.#names = names;
    this.#series = series;
  }

  starts(pool: PoolRecorders): CallerTask {
    return new RequestTask(this, pool, this.#route());
  }

  /** @param route Where the request was when it asked, if that was known */
  record(pool: PoolRecorders, metric: RouteMetric, seconds: number, route: string | undefined): void {
    const known = route ?? this.#route();
    if (known === undefined && this.#request && this.#pending.length < MAX_PENDING) {
      this.#pending.push({ pool, metric, seconds });
    } else {
      this.#series.record(pool, metric, known ?? OTHER_ROUTE, seconds);
    }
  }

  /** The response is over: what is still without a route gets the last one, or none. */
  close(): void {
    if (!this.#request) return;
    this.#finalRoute = this.#route();
    if (this.#finalRoute === undefined) this.#late = new WeakRef(this.#request);
    this.#request = undefined;
    for (const { pool, metric, seconds } of this.#pending) {
      this.#series.record(pool, metric, this.#finalRoute ?? OTHER_ROUTE, seconds);
    }
    this.#pending = [];
  }

  #route(): string | undefined {
    const request = this.#request ?? this.#late?.deref();
    if (!request) return this.#finalRoute;
    try {
      return this.#name.of(request);
    } catch (error) {
      this.#names.failed("the request's route", error);
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
