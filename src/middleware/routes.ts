import type { IncomingMessage, ServerResponse } from "node:http";
import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { Callers } from "../watch/callers.ts";
import type { ExpressRequest } from "./express-shapes.ts";
import { RequestCaller } from "./request-caller.ts";
import { RouteName } from "./route-name.ts";
import { RouteNames } from "./route-names.ts";
import { RouteSeries } from "./route-series.ts";
import type { RoutesSettings } from "./route-settings.ts";
import { timeResponse } from "./server-timing.ts";

/** The middleware of `scope.routes()`: all of one scope share their routes and requests. */
export class Routes {
  readonly #callers: Callers;
  readonly #hasQueries: boolean;
  readonly #names: RouteNames;
  readonly #series = new RouteSeries();
  readonly #requests = new WeakMap<IncomingMessage, RequestCaller>();

  constructor(callers: Callers, hasQueries: boolean, logger: Logger) {
    this.#callers = callers;
    this.#hasQueries = hasQueries;
    this.#names = new RouteNames(logger);
  }

  middleware(settings: RoutesSettings): HttpHandler {
    this.#callers.turnOn();
    return (request, response, next) => {
      let caller: RequestCaller | undefined;
      try {
        caller = this.#enter(request, response, settings);
      } catch (error) {
        this.#names.failed("the middleware", error);
      }
      if (!next) return;
      if (caller) this.#callers.run(caller, next);
      else next();
    };
  }

  /** A second time for the same request, where something before has lost its flow, takes it up again. */
  #enter(request: IncomingMessage, response: ServerResponse, settings: RoutesSettings): RequestCaller {
    let caller = this.#requests.get(request);
    if (!caller) {
      const { app } = request as ExpressRequest;
      const name = new RouteName(app, this.#names, settings.route, settings.maxRoutes);
      const made = new RequestCaller(request, name, this.#names, this.#series);
      this.#requests.set(request, made);
      if (response.closed) made.close();
      else response.once("close", () => detach(() => made.close()));
      caller = made;
    }
    const { serverTiming } = settings;
    if (serverTiming !== false && !caller.isTimed) {
      caller.isTimed = true;
      const isWanted = () => serverTiming === true || isTrue(serverTiming(request));
      timeResponse(response, caller, isWanted, this.#hasQueries, (error) =>
        this.#names.failed("the option serverTiming", error),
      );
    }
    return caller;
  }
}

/** Only `true` counts. A promise does not, and its rejection has no other handler. */
function isTrue(answer: unknown): boolean {
  if (typeof answer === "object") detach(() => answer);
  return answer === true;
}
