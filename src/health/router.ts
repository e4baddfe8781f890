import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type ErrorRequestHandler } from "express";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { DetailsRule } from "../options.ts";
import type { HealthStatus, OverallStatus } from "./assess.ts";
import { overall } from "./assess.ts";
import { type DatabaseSource, databaseHealth, type HealthView } from "./database.ts";

const DEFAULT_HISTORY = 5;
const MAX_HISTORY = 100;

/**
 * The Express router of `scope.health()`. It answers 200 or 503 and nothing between: load balancers differ in what
 * else they take for healthy. Responses are written with `node:http`'s own methods, so that nothing depends on the
 * Express version or the settings of the application it is mounted in.
 */
export function healthRouter(source: DatabaseSource, details: DetailsRule): HttpHandler {
  const router = express.Router();

  router.get("/", async (request, response) => {
    const view = await viewOf(request, response, details);
    if (!view) return;
    const database = await databaseHealth(source, view);
    const status = overall([database.status]);
    sendJson(request, response, httpStatus(status), { status, components: { database } });
  });

  router.get("/database", async (request, response) => {
    const view = await viewOf(request, response, details);
    if (!view) return;
    const database = await databaseHealth(source, view);
    sendJson(request, response, httpStatus(database.status), database);
  });

  router.get("/database/:pool", async (request, response) => {
    const view = await viewOf(request, response, details);
    if (!view) return;
    const database = await databaseHealth(source, view);
    const name = request.params["pool"];
    const pool = database.pools.find((candidate) => candidate.name === name);
    if (pool) return sendJson(request, response, httpStatus(pool.status), pool);
    // Unread is not unwatched: without a reading nothing can be said of this pool either.
    if (database.status === "unknown") return sendJson(request, response, 200, database);
    sendJson(request, response, 404, { error: "no pool of this name is watched" });
  });

  // Whether the process answers. The database has no say here: restarting the application does not mend it.
  router.get("/live", (request, response) => {
    sendJson(request, response, 200, { status: "healthy", timestamp: new Date().toISOString() });
  });

  router.use((request, response, next) => {
    if (request.method === "GET" || request.method === "HEAD") {
      return sendJson(request, response, 404, { error: "there is nothing at this path" });
    }
    if (request.method === "OPTIONS") return next();
    response.setHeader("Allow", "GET, HEAD");
    sendJson(request, response, 405, { error: "only GET and HEAD" });
  });

  // A path that cannot be decoded. Left to the application it would be answered with a stack.
  const unreadable: ErrorRequestHandler = (_error, request, response, _next) => {
    sendJson(request, response, 400, { error: "the path cannot be read" });
  };
  router.use(unreadable);

  return router as unknown as HttpHandler;
}

function httpStatus(status: HealthStatus | OverallStatus): 200 | 503 {
  return status === "critical" ? 503 : 200;
}

/** Undefined: the request was refused. */
async function viewOf(
  request: IncomingMessage,
  response: ServerResponse,
  details: DetailsRule,
): Promise<HealthView | undefined> {
  const limit = historyLimit(request, response);
  return limit === undefined
    ? undefined
    : { historyLimit: limit, showsDetails: await isAllowed(details, request) };
}

/** A rule that fails hides. */
async function isAllowed(details: DetailsRule, request: IncomingMessage): Promise<boolean> {
  try {
    return (await details(request)) === true;
  } catch {
    return false;
  }
}

/** `?limit=` of the history, read from the URL itself: applications choose, or disable, their own query parser. */
function historyLimit(request: IncomingMessage, response: ServerResponse): number | undefined {
  const query = new URLSearchParams(request.url?.split("?", 2)[1] ?? "");
  const values = query.getAll("limit");
  if (values.length === 0) return DEFAULT_HISTORY;
  const [value] = values;
  const limit = values.length === 1 && value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (limit >= 1 && limit <= MAX_HISTORY) return limit;
  sendJson(request, response, 400, { error: `limit must be one whole number from 1 to ${MAX_HISTORY}` });
  return undefined;
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(request.method === "HEAD" ? undefined : text);
}
