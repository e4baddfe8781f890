import type { PoolRecorders } from "../watch/watch-tools.ts";
import type { ExpressApp, ExpressRequest, ExpressRoute } from "./express-shapes.ts";
import { matchingRoutes } from "./matching-routes.ts";

/** Beyond these, places without a route are not learned. */
const MAX_PLACES = 1_000;

/** What is known of one route of the application. */
interface KnownRoute {
  readonly pools: WeakSet<PoolRecorders>;
  /** Requests have ended here. */
  isEnd: boolean;
  /** Requests that matched it went on to another one. */
  isPassed: boolean;
}

/**
 * Which pools the routes of an application use, learned from its requests. A route is known by the object that Express
 * keeps for it, as many paths as it may match; what no route matches, by where it is mounted or the first part of its path.
 */
export class RoutePools {
  readonly #routes = new WeakMap<ExpressRoute, KnownRoute>();
  readonly #places = new Map<string, WeakSet<PoolRecorders>>();
  readonly #children = new WeakMap<ExpressApp, Set<ExpressApp>>();

  /** A request asks a pool for a connection. At once, so that a burst of requests is known by the first. */
  used(request: ExpressRequest, pool: PoolRecorders): void {
    this.#noteApps(request.app);
    if (request.route) this.#known(request.route).pools.add(pool);
    // At the top of an application it may be middleware of all routes, which asks before any has matched.
    else if (request.baseUrl !== "") this.#addPlace(request, pool);
  }

  /** A request is over, in the route that it matched last. */
  ended(request: ExpressRequest, pools: Iterable<PoolRecorders>): void {
    this.#noteApps(request.app);
    const { route } = request;
    if (!route) {
      for (const pool of pools) this.#addPlace(request, pool);
      return;
    }
    const known = this.#known(route);
    for (const pool of pools) known.pools.add(pool);
    if (known.isEnd) return;
    known.isEnd = true;
    for (const before of this.#matching(request)) {
      if (before === route) break;
      this.#known(before).isPassed = true;
    }
  }

  /** Whether a request that no route has matched yet will use a pool, as far as requests before it have. */
  uses(request: ExpressRequest, pool: PoolRecorders): boolean {
    for (const route of this.#matching(request)) {
      const known = this.#routes.get(route);
      if (known?.pools.has(pool)) return true;
      if (known?.isEnd && !known.isPassed) return false;
    }
    const path = pathOf(request);
    for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
      const place = end < 0 ? path : path.slice(0, end);
      if (this.#places.get(place)?.has(pool)) return true;
      if (end < 0) return false;
    }
  }

  #known(route: ExpressRoute): KnownRoute {
    let known = this.#routes.get(route);
    if (!known) {
      known = { pools: new WeakSet(), isEnd: false, isPassed: false };
      this.#routes.set(route, known);
    }
    return known;
  }

  #matching(request: ExpressRequest): Iterable<ExpressRoute> {
    let root = request.app;
    if (!root) return [];
    for (let depth = 0; root.parent && depth < MAX_APPS; depth++) root = root.parent;
    const children = (app: ExpressApp) => this.#children.get(app) ?? [];
    return matchingRoutes(root, pathOf(request), request.method ?? "GET", children);
  }

  /** Which applications are mounted in which is known once a request has come through. */
  #noteApps(app: ExpressApp | undefined): void {
    let child = app;
    for (let depth = 0; child?.parent && depth < MAX_APPS; depth++) {
      const { parent } = child;
      const children = this.#children.get(parent);
      if (children) children.add(child);
      else this.#children.set(parent, new Set([child]));
      child = parent;
    }
  }

  #addPlace(request: ExpressRequest, pool: PoolRecorders): void {
    const place = request.baseUrl || firstPart(pathOf(request));
    const pools = this.#places.get(place);
    if (pools) pools.add(pool);
    else if (this.#places.size < MAX_PLACES) this.#places.set(place, new WeakSet([pool]));
  }
}

const MAX_APPS = 20;

function pathOf({ originalUrl, url = "" }: ExpressRequest): string {
  return (originalUrl ?? url).split("?", 1)[0] || "/";
}

function firstPart(path: string): string {
  const end = path.indexOf("/", 1);
  return end < 0 ? path : path.slice(0, end);
}
