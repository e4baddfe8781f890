import { integerOption, objectOption } from "../check.ts";
import { expected } from "../errors.ts";
import type { RouteRule, RoutesOptions, ServerTimingRule } from "../options.ts";

/** The options of `scope.routes()`, checked and with defaults. */
export interface RoutesSettings {
  readonly route: RouteRule | undefined;
  readonly maxRoutes: number;
  readonly serverTiming: boolean | ServerTimingRule;
}

export function resolveRoutesOptions(given: unknown): RoutesSettings {
  const options = objectOption<RoutesOptions>("options", given, ["route", "maxRoutes", "serverTiming"]);
  const { route, serverTiming = false } = options;
  if (route !== undefined && typeof route !== "function") throw expected("route", "a function", route);
  if (typeof serverTiming !== "boolean" && typeof serverTiming !== "function") {
    throw expected("serverTiming", "true, false or a function", serverTiming);
  }
  const maxRoutes = integerOption("maxRoutes", options.maxRoutes, 200, { min: 1, max: 1_000 });
  return { route, maxRoutes, serverTiming };
}
