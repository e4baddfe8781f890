import type { IncomingMessage, ServerResponse } from "node:http";
import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { ExpressRequest } from "./express-shapes.ts";
import { MountCheck } from "./mount-check.ts";
import type { RequestCaller } from "./request-caller.ts";
import type { RequestCallers } from "./request-callers.ts";
import { RouteName } from "./route-name.ts";
import { RouteNames } from "./route-names.ts";
import { RouteSeries } from "./route-series.ts";
import type { RoutesSettings } from "./route-settings.ts";
import { timeResponse } from "./server-timing.ts";

/** The middleware of `scope.routes()`: all of one scope share their routes and requests. */
export class Routes {
  readonly #callers: RequestCallers;
  readonly #hasQueries: boolean;
  readonly #names: RouteNames;
  readonly #series = new RouteSeries();
  readonly #mount: MountCheck;

  constructor(callers: RequestCallers, hasQueries: boolean, logger: Logger) {
    this.#callers = callers;
    this.#hasQueries = hasQueries;
    this.#names = new RouteNames(logger);
    this.#mount = new MountCheck(logger);
  }

  /** Routes of poolscope's own, which need not be measured. */
  leaveOut(handler: HttpHandler): void {
    this.#mount.leaveOut(handler);
  }

  stop(): void {
    this.#mount.stop();
  }

  middleware(settings: RoutesSettings): HttpHandler {
    this.#callers.turnOn();
    const handler: HttpHandler = (request, response, next) => {
      let caller: RequestCaller | undefined;
      try {
        caller = this.#enter(request, response, settings);
      } catch (error) {
        this.#names.failed("the middleware", error);
      }
      if (next) this.#callers.run(caller, next);
    };
    this.#mount.start(handler);
    return handler;
  }

  /** A second time for the same request, where something before has lost its flow, takes it up again. */
  #enter(request: IncomingMessage, response: ServerResponse, settings: RoutesSettings): RequestCaller {
    const caller = this.#callers.of(request, response);
    if (!caller.measures) {
      const { app } = request as ExpressRequest;
      const name = new RouteName(app, this.#names, settings.route, settings.maxRoutes);
      this.#mount.passed(request);
      caller.measures = { name, names: this.#names, series: this.#series };
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
