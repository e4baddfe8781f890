import type { IncomingMessage } from "node:http";

/**
 * What Express 4 and 5 know of a request and of their own routers, as far as route names need it. Only `route`,
 * `baseUrl`, `originalUrl` and `app` are documented; the rest is looked at where it is there, and never changed.
 */
export interface ExpressRequest extends IncomingMessage {
  /** The route matched last. */
  readonly route?: ExpressRoute | undefined;
  /** Where the present router is mounted: with the values of the request, not with the pattern. */
  readonly baseUrl?: string | undefined;
  readonly originalUrl?: string | undefined;
  readonly app?: ExpressApp | undefined;
}

export interface ExpressRoute {
  readonly path?: unknown;
  /** By name in lower case, or `_all`. */
  readonly methods?: Readonly<Record<string, boolean | undefined>>;
}

export interface ExpressApp {
  /** Express 5. In Express 4 a getter that throws. */
  readonly router?: { readonly stack?: readonly Layer[] };
  /** Express 4. */
  readonly _router?: { readonly stack?: readonly Layer[] };
  /** The application it is mounted in. */
  readonly parent?: ExpressApp;
}

/** One entry of a router: a route, or whatever was given to `use`. */
export interface Layer {
  readonly route?: ExpressRoute | undefined;
  readonly handle?: unknown;
  /** Express 5: mounted at "/". */
  readonly slash?: boolean;
  /** Express 5, router 2.3 and later: the path or paths it was mounted on. */
  readonly rawPath?: unknown;
  /** Express 5: one for each path. */
  readonly matchers?: readonly ((
    path: string,
  ) => false | { readonly path: string; readonly params: object })[];
  /** Express 4: made of all its paths. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean; readonly fast_star?: boolean };
  /** Express 4: what the groups of the expression are called. */
  readonly keys?: readonly { readonly name: string | number }[];
}

/** What an application, or a mounted router, goes through from top to bottom. */
export function stackOf(router: unknown): readonly Layer[] | undefined {
  const { stack, _router } = router as ExpressApp & { stack?: unknown };
  if (Array.isArray(stack)) return stack;
  if (Array.isArray(_router?.stack)) return _router.stack;
  try {
    const inner = (router as ExpressApp).router?.stack;
    return Array.isArray(inner) ? inner : undefined;
  } catch {
    // An application of Express 4 without a single route.
    return undefined;
  }
}
