import {
  type ExpressApp,
  type ExpressRequest,
  type ExpressRoute,
  type Layer,
  stackOf,
} from "./express-shapes.ts";
import { matchMount, UNPROVEN } from "./mount-pattern.ts";

/** Where a route was found last, with the `baseUrl` of that request. */
const found = new WeakMap<ExpressRoute, { readonly baseUrl: string; readonly path: string }>();

/**
 * The path of the router a request's route is in, as the application wrote it. Express only tells it with the values of
 * the request (`/acme` of a router on `/:tenant`), so the way to the route is looked for from the application down, and
 * put together of the patterns on it. What cannot be proven to be the application's text is `/:param`.
 *
 * @param app The one the middleware is in
 */
export function mountPath(request: ExpressRequest, route: ExpressRoute, app: ExpressApp | undefined): string {
  const baseUrl = request.baseUrl ?? "";
  const known = found.get(route);
  if (known && known.baseUrl === baseUrl) return known.path;
  const apps = ancestors(request.app ?? app);
  const search = new Search(route, apps);
  const roots = new Set([ancestors(app)[0], apps[0]]);
  for (const root of roots) {
    const path = root && search.below(root, baseUrl, true);
    if (path === undefined) continue;
    found.set(route, { baseUrl, path });
    return path;
  }
  // A router was left by `next()`, and Express has put `baseUrl` back: the whole path still leads there.
  const whole = pathOf(request.originalUrl ?? request.url ?? "");
  for (const root of roots) {
    const path = root && search.below(root, whole, false);
    if (path !== undefined) return path;
  }
  return baseUrl === "" ? "" : search.closest;
}

/** Outermost first. */
function ancestors(app: ExpressApp | undefined): ExpressApp[] {
  const apps: ExpressApp[] = [];
  for (let at = app; at && !apps.includes(at); at = at.parent) apps.unshift(at);
  return apps;
}

function pathOf(url: string): string {
  const path = url.split("?", 1)[0] as string;
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

const MAX_DEPTH = 20;

class Search {
  /** The longest beginning that a mounted function takes whose inside cannot be seen. */
  closest: string = UNPROVEN;
  readonly #route: ExpressRoute;
  readonly #apps: readonly ExpressApp[];
  #closestRest = Number.POSITIVE_INFINITY;

  constructor(route: ExpressRoute, apps: readonly ExpressApp[]) {
    this.#route = route;
    this.#apps = apps;
  }

  /** @param isExact `path` is where the router is mounted; otherwise it goes on */
  below(root: ExpressApp, path: string, isExact: boolean): string | undefined {
    return this.#look(root, path, isExact, "", 0);
  }

  #look(router: unknown, path: string, isExact: boolean, before: string, depth: number): string | undefined {
    const stack = stackOf(router);
    if (!stack || depth > MAX_DEPTH) return undefined;
    for (const layer of stack) {
      if (layer.route) {
        if (layer.route === this.#route && (!isExact || path === "")) return "";
        continue;
      }
      const mounted = matchMount(layer, path);
      if (!mounted) continue;
      const { pattern, rest } = mounted;
      const inner = this.#inside(layer, router);
      if (inner === undefined) {
        if (isExact && pattern !== "") this.#note(before + pattern, rest);
        continue;
      }
      const deeper = this.#look(inner, rest, isExact, before + pattern, depth + 1);
      if (deeper !== undefined) return pattern + deeper;
    }
    return undefined;
  }

  /** The router a layer leads to. An application mounted in another hides behind a function of Express'. */
  #inside(layer: Layer, router: unknown): unknown {
    const { handle } = layer;
    if (typeof handle !== "function") return undefined;
    if (handle.name === "mounted_app") return this.#apps[this.#apps.indexOf(router as ExpressApp) + 1];
    return stackOf(handle) && handle;
  }

  #note(pattern: string, rest: string): void {
    if (rest.length >= this.#closestRest) return;
    this.#closestRest = rest.length;
    this.closest = rest === "" ? pattern : pattern + UNPROVEN;
  }
}
