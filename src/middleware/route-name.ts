import type { RouteRule } from "../options.ts";
import type { ExpressApp, ExpressRequest } from "./express-shapes.ts";
import { mountPath } from "./mount-path.ts";
import type { RouteNames } from "./route-names.ts";

/** The name of the route of one request, as far as it is known. */
export class RouteName {
  readonly #app: ExpressApp | undefined;
  readonly #names: RouteNames;
  readonly #rule: RouteRule | undefined;
  readonly #max: number;
  #route: unknown;
  #name: string | undefined;

  constructor(app: ExpressApp | undefined, names: RouteNames, rule: RouteRule | undefined, max: number) {
    this.#app = app;
    this.#names = names;
    this.#rule = rule;
    this.#max = max;
  }

  /** Of the route matched last; undefined: none so far. Asked for each checkout and query. */
  of(request: ExpressRequest): string | undefined {
    const { route } = request;
    // Once for each route that matches: later `baseUrl` may have been put back.
    if (route === this.#route && this.#name !== undefined) return this.#name;
    const name = this.#rule && this.#names.chosen(this.#rule, request);
    if (name === undefined && typeof route !== "object") return undefined;
    this.#route = route;
    this.#name = this.#names.bounded(name ?? this.#matched(request), this.#max);
    return this.#name;
  }

  #matched(request: ExpressRequest): string {
    const route = request.route ?? {};
    const path = String(route.path ?? "");
    const mount = mountPath(request, route, this.#app);
    return path === "/" || path === "" ? mount || "/" : mount + path;
  }
}
