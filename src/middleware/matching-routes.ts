import { type ExpressApp, type ExpressRoute, type Layer, stackOf } from "./express-shapes.ts";
import { matchMount } from "./mount-pattern.ts";

const MAX_DEPTH = 20;

/**
 * The routes below a router that match a request, in the order in which Express tries them. Nothing of the application is
 * called but its own matching of paths.
 *
 * @param path From where the router is mounted
 * @param children The applications that are mounted in one: Express hides them behind a function of its own
 */
export function* matchingRoutes(
  router: unknown,
  path: string,
  method: string,
  children: (app: ExpressApp) => Iterable<ExpressApp>,
  depth = 0,
): Generator<ExpressRoute> {
  if (depth > MAX_DEPTH) return;
  for (const layer of stackOf(router) ?? []) {
    if (layer.route) {
      if (handles(layer.route, method) && matchesWhole(layer, path)) yield layer.route;
      continue;
    }
    const { handle } = layer;
    const mounted = typeof handle === "function" ? matchMount(layer, path) : undefined;
    if (!mounted || typeof handle !== "function") continue;
    const inner = handle.name === "mounted_app" ? children(router as ExpressApp) : [handle];
    for (const within of inner) {
      if (stackOf(within)) yield* matchingRoutes(within, mounted.rest || "/", method, children, depth + 1);
    }
  }
}

function handles({ methods }: ExpressRoute, method: string): boolean {
  const name = method.toLowerCase();
  return Boolean(methods?.["_all"] || methods?.[name] || (name === "head" && methods?.["get"]));
}

function matchesWhole({ regexp, rawPath, matchers = [] }: Layer, path: string): boolean {
  try {
    if (regexp) return regexp.fast_star || regexp.fast_slash || test(regexp, path);
    const written: readonly unknown[] = Array.isArray(rawPath) ? rawPath : [rawPath];
    return matchers.some((matcher, index) => {
      const source = written[index];
      return source instanceof RegExp ? test(source, path) : matcher(path) !== false;
    });
  } catch {
    // A value that cannot be decoded: Express refuses the request.
    return false;
  }
}

/** With the flags g or y the application's own object remembers where it was. */
function test(expression: RegExp, path: string): boolean {
  const { source, flags, global, sticky } = expression;
  return (global || sticky ? new RegExp(source, flags.replace(/[gy]/g, "")) : expression).test(path);
}
