import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { detach } from "../detached.ts";
import type { Logger } from "../logger.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import { type ExpressRequest, type Layer, stackOf } from "./express-shapes.ts";

/** Of Node, published by every HTTP server of the process. */
const FINISHED = "http.server.response.finish";
/** Requests after which the check gives up: those of other applications, or of one without Express. */
const MAX_REQUESTS = 1_000;

/**
 * Notices a `scope.routes()` that is mounted behind all routes. No request with a route reaches it there, so it cannot
 * notice by itself: the requests of the process are looked at until one settles the matter.
 */
export class MountCheck {
  readonly #logger: Logger;
  readonly #handlers = new Set<unknown>();
  readonly #own = new WeakSet<HttpHandler>();
  readonly #passed = new WeakSet<IncomingMessage>();
  #requests = 0;
  #isListening = false;
  #isSettled = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  start(handler: HttpHandler): void {
    if (this.#isSettled) return;
    this.#handlers.add(handler);
    if (this.#isListening) return;
    this.#isListening = true;
    subscribe(FINISHED, this.#finished);
  }

  /** The request is in the middleware. */
  passed(request: IncomingMessage): void {
    if (this.#isListening) this.#passed.add(request);
  }

  leaveOut(handler: HttpHandler): void {
    this.#own.add(handler);
  }

  stop(): void {
    this.#isSettled = true;
    this.#handlers.clear();
    if (this.#isListening) unsubscribe(FINISHED, this.#finished);
    this.#isListening = false;
  }

  readonly #finished = (message: unknown): void => {
    detach(() => this.#look((message as { readonly request: ExpressRequest }).request));
  };

  #look(request: ExpressRequest): void {
    this.#requests++;
    const isMatched = request.route !== undefined && request.app !== undefined;
    const isBehind = isMatched && !this.#passed.has(request) && this.#isBehindAll(stackOf(request.app) ?? []);
    if (isBehind || (isMatched && this.#passed.has(request)) || this.#requests >= MAX_REQUESTS) this.stop();
    if (!isBehind) return;
    this.#logger.warn(
      "poolscope - routes not measured: scope.routes() is mounted behind the routes, where requests do not reach it; mount it before them",
    );
  }

  #isBehindAll(stack: readonly Layer[]): boolean {
    const at = stack.findIndex(({ handle }) => this.#handlers.has(handle));
    const hasRoutes = (layer: Layer) => leadsToRoutes(layer) && !this.#own.has(layer.handle as HttpHandler);
    return at > 0 && stack.slice(0, at).some(hasRoutes) && !stack.slice(at + 1).some(leadsToRoutes);
  }
}

/** A route, a router, or an application within the application, which Express wraps in a function of this name. */
function leadsToRoutes({ route, handle }: Layer): boolean {
  if (route) return true;
  if (typeof handle !== "function") return false;
  return Array.isArray((handle as { stack?: unknown }).stack) || handle.name === "mounted_app";
}
