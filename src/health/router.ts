import type { IncomingMessage } from "node:http";
import express, { type ErrorRequestHandler, type Request, type Response } from "express";
import type { HostRule } from "../http/hosts.ts";
import { exchangeOf } from "../http/send.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { DetailsRule } from "../options.ts";
import type { Components } from "./components.ts";
import type { DatabaseSource, HealthView } from "./database.ts";
import type { HealthReport } from "./health-json.ts";
import { databasePage, MAX_HISTORY } from "./pages.ts";
import { type Probes, probeReports } from "./probes.ts";
import { sendError, sendReport } from "./respond.ts";

const DEFAULT_HISTORY = 5;
const NO_QUERY = new URLSearchParams();
const UNSERVED = "this host name is not served";

/** What the pages are made of. */
export interface HealthParts extends Probes {
  readonly source: DatabaseSource;
  readonly components: Components;
  readonly details: DetailsRule;
  readonly isServed: HostRule;
}

/** Undefined: nothing of this name is watched. */
type Endpoint = (view: HealthView, request: Request) => Promise<HealthReport | undefined>;

/**
 * The Express router of `scope.health()`. It answers 200 or 503 and nothing between: load balancers differ in what
 * else they take for healthy.
 */
export function healthRouter(parts: HealthParts): HttpHandler {
  const router = express.Router();
  const endpoints: Readonly<Record<string, Endpoint>> = {
    "/": (view) => everything(parts, view),
    "/database": (view) => database(parts, view),
    "/database/:pool": (view, request) => onePool(parts, view, String(request.params["pool"])),
    ...probeReports(parts),
  };
  for (const [path, report] of Object.entries(endpoints)) {
    router.get(path, (request, response) => void answer(parts, report, request, response));
  }

  router.use((request, response, next) => {
    if (!parts.isServed(request)) return sendError(request, response, 403, UNSERVED);
    if (request.method === "GET" || request.method === "HEAD") {
      return sendError(request, response, 404, "there is nothing at this path");
    }
    if (request.method === "OPTIONS") return next();
    response.setHeader("Allow", "GET, HEAD");
    sendError(request, response, 405, "only GET and HEAD");
  });

  // A path that cannot be decoded. Left to the application it would be answered with a stack.
  const unreadable: ErrorRequestHandler = (_error, request, response, _next) => {
    sendError(request, response, 400, "the path cannot be read");
  };
  router.use(unreadable);

  return router as unknown as HttpHandler;
}

async function answer(
  { details, isServed }: HealthParts,
  endpoint: Endpoint,
  request: Request,
  response: Response,
): Promise<void> {
  if (!isServed(request)) return sendError(request, response, 403, UNSERVED);
  const [, search] = request.url.split("?", 2);
  const query = search === undefined ? NO_QUERY : new URLSearchParams(search);
  const historyLimit = limitOf(query);
  if (historyLimit === undefined) {
    return sendError(request, response, 400, `limit must be one whole number from 1 to ${MAX_HISTORY}`);
  }
  const exchange = await exchangeOf(request, response);
  if (!exchange) return;
  const view = {
    historyLimit,
    isVerbose: query.has("verbose") && query.get("verbose") !== "false",
    showsDetails: await isAllowed(details, request),
  };
  const report = await endpoint(view, request);
  if (report) await sendReport(exchange, report);
  else sendError(request, response, 404, "no pool of this name is watched");
}

/** `?limit=` of the history, read from the URL itself: applications choose, or disable, their own query parser. */
function limitOf(query: URLSearchParams): number | undefined {
  const values = query.getAll("limit");
  if (values.length === 0) return DEFAULT_HISTORY;
  const [value] = values;
  const limit = values.length === 1 && value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : 0;
  return limit >= 1 && limit <= MAX_HISTORY ? limit : undefined;
}

/** A rule that fails hides. */
async function isAllowed(details: DetailsRule, request: IncomingMessage): Promise<boolean> {
  try {
    return (await details(request)) === true;
  } catch {
    return false;
  }
}

async function everything({ source, components }: HealthParts, view: HealthView): Promise<HealthReport> {
  const [page, others] = await Promise.all([databasePage(source, view), components.look(view.showsDetails)]);
  return page.whole(others);
}

async function database({ source }: HealthParts, view: HealthView): Promise<HealthReport> {
  return (await databasePage(source, view)).report;
}

async function onePool(
  { source }: HealthParts,
  view: HealthView,
  name: string,
): Promise<HealthReport | undefined> {
  return (await databasePage(source, view)).pool(name);
}
