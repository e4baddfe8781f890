import type { IncomingMessage, ServerResponse } from "node:http";
import { answers, isUnanswered } from "../answers.ts";
import { detach } from "../detached.ts";
import { PoolscopeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { SkipRule } from "../options.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import type { RequestCaller } from "./request-caller.ts";
import type { RequestCallers } from "./request-callers.ts";
import type { RoutePools } from "./route-pools.ts";
import { ShedGate, type ShedLimits } from "./shed-gate.ts";

export interface ShedSettings extends ShedLimits {
  readonly retryAfterSeconds: number;
  readonly statusCode: 429 | 503;
  /** Undefined: for each request those that its route has used. */
  readonly pools: readonly string[] | undefined;
  readonly skip: SkipRule | undefined;
  readonly onShed: "answer" | "next";
}

export interface ShedParts {
  readonly registry: PoolRegistry;
  readonly callers: RequestCallers;
  /** What is learned of the application's routes. */
  readonly routePools: RoutePools;
}

/**
 * The middleware of `scope.shedLoad()`: refuses a request before it queues for a connection it would not get in time.
 * It writes with `node:http`'s own methods, so that nothing depends on the Express version.
 */
export function shedLoad(
  { registry, callers, routePools }: ShedParts,
  settings: ShedSettings,
  logger: Logger,
): HttpHandler {
  // Kept by their pools: those that are over leave when others come.
  const gates: WeakRef<ShedGate>[] = [];
  const guard = (pool: WatchedPool): void => {
    if (settings.pools && !settings.pools.includes(pool.name)) return;
    for (let at = gates.length - 1; at >= 0; at--) {
      if (gates[at]?.deref()?.pool.isOver !== false) gates.splice(at, 1);
    }
    gates.push(new WeakRef(new ShedGate(pool, settings, logger)));
  };
  for (const pool of registry.all()) guard(pool);
  registry.onAdd(guard);
  const skips = guardedSkip(settings.skip, logger);
  const answer = answers("scope.shedLoad()", logger);

  const isNeeded = settings.pools
    ? () => true
    : ({ pool }: ShedGate, request: IncomingMessage) => routePools.uses(request, pool.counts.recorders);

  callers.turnOn();
  const enter = (request: IncomingMessage, response: ServerResponse): RequestCaller | undefined => {
    try {
      const caller = callers.of(request, response);
      caller.routePools = routePools;
      return caller;
    } catch {
      // What is no request of node:http's is not followed.
      return undefined;
    }
  };

  return function poolscopeShedLoad(request, response, next = () => {}) {
    const gate = closedGate(gates, (closed) => isNeeded(closed, request));
    if (gate === undefined || response.headersSent || skips(request)) {
      return callers.run(enter(request, response), next);
    }
    gate.shed();
    if (settings.onShed === "next") {
      // The error has the header as well.
      detach(() => response.setHeader("Retry-After", settings.retryAfterSeconds));
      return next(shedError(gate.pool.name, settings));
    }
    answer(response, () => refuse(request, response, settings));
  };
}

/** Every gate is asked, so that each follows its own pool; the first needed one that is closed counts the request. */
function closedGate(
  gates: readonly WeakRef<ShedGate>[],
  isNeeded: (gate: ShedGate) => boolean,
): ShedGate | undefined {
  let closed: ShedGate | undefined;
  try {
    for (let at = 0; at < gates.length; at++) {
      const gate = gates[at]?.deref();
      if (gate?.isClosed() && !closed && isNeeded(gate)) closed = gate;
    }
  } catch {
    // A pool that cannot be asked (an `options` of the application's own that throws) keeps nobody away.
  }
  return closed;
}

/** Only `true` lets a request through. A rule that fails protects the pool, and is complained of once. */
function guardedSkip(skip: SkipRule | undefined, logger: Logger): SkipRule {
  if (!skip) return () => false;
  let hasComplained = false;
  const complain = (what: string): void => {
    if (hasComplained) return;
    hasComplained = true;
    logger.error(`poolscope - \`skip\` of shedLoad() ${what}: the request was not skipped`);
  };
  return (request) => {
    try {
      const answer: unknown = skip(request);
      if (typeof answer === "object" && answer !== null && "then" in answer) {
        complain("gave a promise, it has to answer at once");
        detach(() => answer);
      }
      return answer === true;
    } catch (error) {
      complain(`threw (${error instanceof Error ? error.message : String(error)})`);
      return false;
    }
  };
}

/** With `status` and `headers` as Express's own error handler reads them: it answers right where the application has none. */
function shedError(pool: string, { statusCode, retryAfterSeconds }: ShedSettings): PoolscopeError {
  const error = new PoolscopeError(
    "POOLSCOPE_LOAD_SHED",
    `Too many requests wait for a connection of ${pool}: try again in ${retryAfterSeconds} s`,
  );
  const headers = { "Retry-After": String(retryAfterSeconds) };
  return Object.assign(error, { status: statusCode, statusCode, headers });
}

function refuse(request: IncomingMessage, response: ServerResponse, settings: ShedSettings): void {
  if (!isUnanswered(response)) return;
  const text = `${JSON.stringify({ error: "overloaded: try again later", retry_after_seconds: settings.retryAfterSeconds })}\n`;
  response.statusCode = settings.statusCode;
  response.setHeader("Retry-After", settings.retryAfterSeconds);
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(request.method === "HEAD" ? undefined : text);
}
