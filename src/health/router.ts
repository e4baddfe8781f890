import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type ErrorRequestHandler, type Request, type Response } from "express";
import { answers } from "../answers.ts";
import { detach } from "../detached.ts";
import type { HostRule } from "../http/hosts.ts";
import { exchangeOf } from "../http/send.ts";
import type { Logger } from "../logger.ts";
import type { HttpHandler } from "../metrics/prometheus.ts";
import type { DetailsRule } from "../options.ts";
import type { Components } from "./components.ts";
import type { DatabaseSource, HealthView } from "./database.ts";
import type { HealthReport } from "./health-json.ts";
import { databasePage, MAX_HISTORY } from "./pages.ts";
import { type Probes, probeReports } from "./probes.ts";
import { sendError, sendReport } from "./respond.ts";

const DEFAULT_HISTORY = 5;
/** How long the rule for details may hold up a page. Probes wait for a second at most. */
const DETAILS_MILLIS = 500;
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
export function healthRouter(parts: HealthParts, logger: Logger): HttpHandler {
  const router = express.Router();
  const { isServed } = parts;
  const answer = answers("scope.health()", logger);
  const serve = (endpoints: Readonly<Record<string, Endpoint>>, details: DetailsRule) => {
    for (const [path, report] of Object.entries(endpoints)) {
      router.get(path, (request, response) => {
        answer(response, () => answerWith(report, { details, isServed }, request, response));
      });
    }
  };
  serve(
    {
      "/": (view) => everything(parts, view),
      "/database": (view) => database(parts, view),
      "/database/:pool": (view, request) => onePool(parts, view, String(request.params["pool"])),
    },
    parts.details,
  );
  // They have no details, and whether the process lives must not depend on a rule that may ask a database.
  serve(probeReports(parts), () => false);

  const refuse = (request: IncomingMessage, response: ServerResponse) => {
    if (!isServed(request)) sendError(request, response, 403, UNSERVED);
    else if (request.method === "GET" || request.method === "HEAD") {
      sendError(request, response, 404, "there is nothing at this path");
    } else {
      sendError(request, response, 405, "only GET and HEAD");
    }
  };
  router.use((request, response, next) => {
    if (request.method === "OPTIONS" && isServed(request)) next();
    else answer(response, () => refuse(request, response));
  });

  // A path that cannot be decoded. Left to the application it would be answered with a stack.
  const unreadable: ErrorRequestHandler = (_error, request, response, _next) => {
    answer(response, () => sendError(request, response, 400, "the path cannot be read"));
  };
  router.use(unreadable);

  // `node:http` gives no `next`, which the router of Express needs.
  const handler = router as unknown as HttpHandler;
  return new Proxy(handler, {
    apply(_router, _this, [request, response, next]: Parameters<HttpHandler>) {
      handler(request, response, next ?? (() => answer(response, () => refuse(request, response))));
    },
  });
}

async function answerWith(
  endpoint: Endpoint,
  { details, isServed }: Pick<HealthParts, "details" | "isServed">,
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

/** A rule that fails, or takes too long, hides. */
function isAllowed(details: DetailsRule, request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DETAILS_MILLIS, false);
    timer.unref();
    const answered = (isShown: unknown) => {
      clearTimeout(timer);
      resolve(isShown === true);
    };
    detach(
      async () => answered(await details(request)),
      () => answered(false),
    );
  });
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
