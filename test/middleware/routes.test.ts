import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import type pg from "pg";
import request from "supertest";
import { afterEach, expect, test, vi } from "vitest";
import type { Poolscope, PoolscopeOptions, RoutesOptions } from "../../src/index.ts";
import { type Exported, scrape } from "../support/exported.ts";
import { collectGarbage } from "../support/garbage.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const isExpress4 = process.env["EXPRESS_MAJOR"] === "4";

interface Shop {
  readonly scope: Poolscope;
  readonly pool: pg.Pool;
  readonly app: express.Express;
  /** A handler that runs one query and answers 200. */
  readonly query: RequestHandler;
}

function makeShop(options?: RoutesOptions, scopeOptions?: PoolscopeOptions): Shop {
  const scope = makeScope(scopeOptions);
  const pool = makePool({ max: 4 });
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.set("env", "test");
  app.use(scope.routes(options) as RequestHandler);
  const query: RequestHandler = (_request, response, next) => {
    pool.query("SELECT 1").then(() => void response.json({ ok: true }), next);
  };
  return { scope, pool, app, query };
}

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(app: express.Express): Promise<number> {
  const server = app.listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

type Measure = "wait" | "use" | "query";

/** How many measurements each route has. */
function countsIn(exported: Exported, measure: Measure, pool = "orders"): Record<string, number> {
  const counts = exported.all.filter(
    ({ name, labels }) =>
      name === `poolscope_route_${measure}_time_seconds_count` &&
      labels["db_client_connection_pool_name"] === pool,
  );
  return Object.fromEntries(counts.map(({ labels, value }) => [labels["http_route"], value]));
}

async function counts(scope: Poolscope, measure: Measure, pool?: string): Promise<Record<string, number>> {
  return countsIn(await scrape(scope), measure, pool);
}

/** Measurements without a route are recorded when the response has closed, which a client may hear of first. */
async function eventually(
  scope: Poolscope,
  measure: Measure,
  expected: Record<string, number>,
): Promise<void> {
  const sum = (of: Record<string, number>) => Object.values(of).reduce((total, count) => total + count, 0);
  await until(async () => sum(await counts(scope, measure)) >= sum(expected));
  expect(await counts(scope, measure)).toEqual(expected);
}

test("these tests run on the Express they say they run on", () => {
  expect("query" in express).toBe(isExpress4);
});

test("checkouts and queries are counted under the pattern of the route", async () => {
  const { scope, pool, app, query } = makeShop();
  app.get("/orders/:id", query);
  app.get("/held", async (_request, response) => {
    const client = await pool.connect();
    await client.query("SELECT 1");
    await client.query("SELECT pg_sleep(0.05)");
    client.release();
    response.end();
  });
  for (const id of ["17", "s3cret"]) await request(app).get(`/orders/${id}?a=s3cret`).expect(200);
  await request(app).get("/held").expect(200);

  const exported = await scrape(scope);
  expect(countsIn(exported, "wait")).toEqual({ "/orders/:id": 2, "/held": 1 });
  expect(countsIn(exported, "use")).toEqual({ "/orders/:id": 2, "/held": 1 });
  expect(countsIn(exported, "query")).toEqual({ "/orders/:id": 2, "/held": 2 });
  expect(exported.text).not.toContain("s3cret");
  for (const measure of ["use", "query"]) {
    const sum = exported.value("orders", `poolscope_route_${measure}_time_seconds_sum`, {
      http_route: "/held",
    });
    expect(sum).toBeGreaterThan(0.049);
    expect(sum).toBeLessThan(10);
  }
  // The pool's labels and the route's, nothing else.
  const { labels } =
    exported.all.find(({ name }) => name === "poolscope_route_wait_time_seconds_count") ?? {};
  const own = exported.all.find(
    ({ name }) => name === "db_client_connection_wait_time_seconds_count",
  )?.labels;
  expect(labels).toEqual({ ...own, http_route: expect.any(String) });
});

test("without the middleware there is nothing by route", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  expect((await scrape(scope)).text).not.toContain("poolscope_route");
  scope.routes();
  await pool.query("SELECT 1");
  expect((await scrape(scope)).text).not.toContain("poolscope_route");
});

test("the application's own provider gets the same", async () => {
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 1e9,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const { app, query } = makeShop(undefined, { meterProvider, reader });
  app.get("/orders/:id", query);
  await request(app).get("/orders/1").expect(200);
  const { resourceMetrics } = await reader.collect();
  const metrics = resourceMetrics.scopeMetrics.flatMap((one) => one.metrics);
  for (const measure of ["wait", "use", "query"]) {
    const metric = metrics.find(({ descriptor }) => descriptor.name === `poolscope.route.${measure}_time`);
    expect(metric?.descriptor.unit).toBe("s");
    expect(metric?.dataPoints).toMatchObject([
      { attributes: { "http.route": "/orders/:id" }, value: { count: 1 } },
    ]);
  }
  await meterProvider.shutdown();
});

test("routers in routers: the pattern of every mount, never a value", async () => {
  const { scope, app, query } = makeShop();
  const [items, tenant, plain] = [express.Router({ mergeParams: true }), express.Router(), express.Router()];
  items.get("/items/:item", query);
  items.get("/", query);
  tenant.use("/shops/:shop", items);
  tenant.get("/me", query);
  plain.get("/ping", query);
  plain.get(/^\/re(\d+)$/, query);
  plain.get(["/one", "/two"], query);
  app.use("/api/v1.0", plain);
  app.use("/api", tenant);
  app.use("/:tenant", tenant);
  const inner = express();
  inner.use("/deep", plain);
  inner.get("/top/:x", query);
  app.use("/inner", inner);

  const paths = [
    ["/api/v1.0/ping", "/api/v1.0/ping"],
    ["/api/v1.0/re77", "/api/v1.0/^\\\\/re(\\\\d+)$/"],
    ["/api/v1.0/two", "/api/v1.0/one,/two"],
    ["/api/me", "/api/me"],
    ["/API/me", "/api/me"],
    ["/api/shops/77/items/78", "/api/shops/:shop/items/:item"],
    ["/v77/me", "/:tenant/me"],
    ["/v78/me/", "/:tenant/me"],
    ["/v77/shops/v78/items/v79", "/:tenant/shops/:shop/items/:item"],
    ["/v77/shops/v77", "/:tenant/shops/:shop"],
    ["/inner/deep/ping", "/inner/deep/ping"],
    ["/inner/top/77", "/inner/top/:x"],
  ] as const;
  const truth: Record<string, number> = {};
  for (const [path, route] of paths) {
    await request(app).get(path).expect(200);
    truth[route] = (truth[route] ?? 0) + 1;
  }
  const exported = await scrape(scope);
  expect(countsIn(exported, "query")).toEqual(truth);
  expect(countsIn(exported, "use")).toEqual(truth);
  const labels = exported.all.map((series) => series.labels["http_route"] ?? "");
  expect(labels.join(" ")).not.toMatch(/v77|v78|v79|\b7[78]\b/);
});

test("a mount that cannot be followed never shows the path of the request", async () => {
  const { scope, app, query } = makeShop();
  const router = express.Router();
  router.get("/me", query);
  // Express' own routers are not seen behind a function.
  app.use("/known", (req, res, next) => router(req, res, next));
  app.use(/^\/x\d+/, router);
  app.use("/in/:a/:b", (req, res, next) => router(req, res, next));
  app.use((req, res, next) => {
    const found = /^\/hidden\/[^/]+/.exec(req.url)?.[0];
    if (!found) return next();
    req.url = req.url.slice(found.length);
    req.baseUrl += found;
    router(req, res, next);
  });
  for (const path of ["/known/me", "/x77/me", "/x78/me", "/in/v77/v78/me", "/hidden/v77/me"]) {
    await request(app).get(path).expect(200);
  }
  const exported = await scrape(scope);
  const routes = countsIn(exported, "query");
  expect(Object.values(routes).reduce((sum, count) => sum + count)).toBe(5);
  expect(routes).toMatchObject({ "/known/me": 1 });
  expect(Object.keys(routes).join(" ")).not.toMatch(/7[78]/);
  expect(routes).toEqual({ "/known/me": 1, "/:param/me": 3, "/in/:a/:b/me": 1 });
});

test("queries before a route matches go to the route that does, or to _OTHER", async () => {
  const { scope, pool, app, query } = makeShop();
  app.use(async (_request, _response, next) => {
    await pool.query("SELECT 'session'");
    next();
  });
  app.use("/gate", (_request, response) => void response.status(403).end());
  const router = express.Router();
  router.use(async (_request, _response, next) => {
    await pool.query("SELECT 'rights'");
    next();
  });
  router.get("/users/:id", query);
  app.use("/api", router);
  await request(app).get("/api/users/5").expect(200);
  await eventually(scope, "query", { "/api/users/:id": 3 });
  await request(app).get("/gate").expect(403);
  await request(app).get("/nowhere/5").expect(404);
  await request(app).get("/api/nowhere/5").expect(404);
  await eventually(scope, "query", { "/api/users/:id": 3, _OTHER: 4 });
  await eventually(scope, "wait", { "/api/users/:id": 3, _OTHER: 4 });
  await eventually(scope, "use", { "/api/users/:id": 3, _OTHER: 4 });
});

test("more queries before a route than are kept are counted all the same", async () => {
  const { scope, pool, app } = makeShop();
  app.use(async (_request, _response, next) => {
    for (let time = 0; time < 150; time++) await pool.query("SELECT 1");
    next();
  });
  app.get("/late", (_request, response) => void response.end());
  await request(app).get("/late").expect(200);
  await until(async () => Object.keys(await counts(scope, "query")).length === 2);
  for (const measure of ["wait", "use", "query"] as const) {
    const { "/late": late = 0, _OTHER: other = 0, ...rest } = await counts(scope, measure);
    expect([late + other, rest]).toEqual([150, {}]);
  }
});

test("queries of error handlers belong to the route that failed, with the path of its router", async () => {
  const { scope, pool, app } = makeShop();
  const router = express.Router();
  router.get("/users/:id", (_request, _response, next) => next(new Error("refused")));
  app.use("/:tenant", router);
  const onError: ErrorRequestHandler = async (error, _request, response, _next) => {
    await pool.query("SELECT 'log'");
    response.status(500).send(error.message);
  };
  app.use(onError);
  await request(app).get("/acme/users/5").expect(500, "refused");
  expect(await counts(scope, "query")).toEqual({ "/:tenant/users/:id": 1 });
});

test("parallel requests on two pools: counts by route equal the truth, in promises and in callbacks", async () => {
  const scope = makeScope();
  // Few connections: most callers are handed theirs in the flow of the request that releases it.
  const pools = { orders: makePool({ max: 2 }), reports: makePool({ max: 1 }) };
  for (const [name, pool] of Object.entries(pools)) scope.watch(pool, { name });
  const app = express();
  app.use(scope.routes() as RequestHandler);
  app.get("/promise/:pool", async (req, response) => {
    const pool = pools[req.params["pool"] as keyof typeof pools];
    const client = await pool.connect();
    await client.query("SELECT 1");
    client.release();
    await pool.query("SELECT 2");
    response.end();
  });
  app.get("/callback/:pool", (req, response) => {
    const pool = pools[req.params["pool"] as keyof typeof pools];
    pool.connect((error, client, release) => {
      if (error || !client) return void response.status(500).end();
      client.query("SELECT 1", () => {
        client.query("SELECT 2", () => {
          release();
          pool.query("SELECT 3", () => void pool.query("SELECT 4", () => void response.end()));
        });
      });
    });
  });
  // Nobody's: started outside of any request, and served by the same connections.
  let isOver = false;
  let background = 0;
  const nobody = (done: () => void): void => {
    if (isOver) {
      done();
      return;
    }
    background++;
    pools.orders.query("SELECT 'background'", () => nobody(done));
  };
  const ended = new Promise<void>((resolve) => nobody(resolve));
  const port = await listen(app);
  const paths = Array.from({ length: 120 }, (_, index) => {
    return `/${index % 3 === 0 ? "promise" : "callback"}/${index % 4 === 0 ? "orders" : "reports"}`;
  });
  await Promise.all(
    paths.map(async (path) => expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(200)),
  );
  isOver = true;
  await ended;
  expect(background).toBeGreaterThan(0);
  for (const pool of ["orders", "reports"]) {
    const made = (shape: string) => paths.filter((path) => path === `/${shape}/${pool}`).length;
    const [promise, callback] = [made("promise"), made("callback")];
    expect([promise, callback].every((count) => count > 5)).toBe(true);
    const checkouts = { "/promise/:pool": 2 * promise, "/callback/:pool": 3 * callback };
    expect(await counts(scope, "wait", pool)).toEqual(checkouts);
    expect(await counts(scope, "use", pool)).toEqual(checkouts);
    expect(await counts(scope, "query", pool)).toEqual({
      "/promise/:pool": 2 * promise,
      "/callback/:pool": 4 * callback,
    });
  }
});

test("a connection does not carry the request along that it was opened for", async () => {
  const { scope, pool, app, query } = makeShop();
  app.get("/opens", query);
  await request(app).get("/opens").expect(200);
  const client = await pool.connect();
  const heard = new Promise((resolve) => {
    client.once("notification", () => resolve(pool.query("SELECT 'nobody asked'")));
  });
  await client.query("LISTEN news");
  await client.query("NOTIFY news");
  await heard;
  expect(await counts(scope, "query")).toEqual({ "/opens": 1 });
  expect(await counts(scope, "wait")).toEqual({ "/opens": 1 });
});

test("work that outlives the response still belongs to its route", async () => {
  const { scope, pool, app } = makeShop();
  let goOn = () => {};
  const told = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let work: Promise<void> = Promise.resolve();
  app.post("/jobs/:id", async (_request, response) => {
    const client = await pool.connect();
    work = told.then(async () => {
      await client.query("SELECT 1");
      client.release();
      await pool.query("SELECT 2");
    });
    response.status(202).end();
  });
  await request(app).post("/jobs/5").expect(202);
  expect(await counts(scope, "use")).toEqual({});
  expect(await counts(scope, "wait")).toEqual({ "/jobs/:id": 1 });
  goOn();
  await work;
  for (const measure of ["wait", "use", "query"] as const) {
    expect(await counts(scope, measure)).toEqual({ "/jobs/:id": 2 });
  }
});

test("a client that leaves: its request's use is still counted, nothing throws, no connection stays", async () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const { scope, pool, app } = makeShop({ serverTiming: true }, { logger });
  const outcomes: unknown[] = [];
  let started = 0;
  app.use(async (_request, _response, next) => {
    started++;
    await pool.query("SELECT 'session'");
    next();
  });
  app.get("/slow/:id", async (_request, response) => {
    try {
      await pool.query("SELECT pg_sleep(0.2)");
      response.json({ ok: true });
      outcomes.push("answered");
    } catch (error) {
      outcomes.push(error);
    }
  });
  const port = await listen(app);
  for (let time = 0; time < 5; time++) {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(`GET /slow/${time} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    socket.on("error", () => {});
    // Before a route has matched, and for some before there is a connection.
    await until(() => started > time);
    socket.destroy();
  }
  await until(() => outcomes.length === 5);
  expect(outcomes).toEqual(Array(5).fill("answered"));
  await until(async () => {
    const { "/slow/:id": slow = 0, _OTHER: other = 0 } = await counts(scope, "query");
    // Those of the handlers are known, even where the client had left before the route matched.
    return slow + other === 10 && slow >= 5;
  });
  expect(pool.idleCount).toBe(pool.totalCount);
  expect(logger.warn).not.toHaveBeenCalled();
  expect(logger.error).not.toHaveBeenCalled();
});

test("requests are let go when they are over, while the connections they opened live on", async () => {
  const { pool, app, query } = makeShop({ serverTiming: true });
  const warnings = vi.fn();
  process.on("warning", warnings);
  const requests: WeakRef<object>[] = [];
  app.use((incoming, _response, next) => {
    requests.push(new WeakRef(incoming));
    next();
  });
  // Not with a callback: pg itself keeps the one a connection was opened for.
  app.use(async (_request, _response, next) => {
    await pool.query("SELECT 1");
    next();
  });
  app.get("/known", query);
  const port = await listen(app);
  const paths = Array.from({ length: 40 }, (_, index) => (index % 2 ? "/known" : "/unknown"));
  await Promise.all(paths.map(async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()));
  for (const server of servers) server.closeAllConnections();
  await until(() => {
    collectGarbage();
    return requests.every((one) => one.deref() === undefined);
  });
  expect(requests).toHaveLength(40);
  expect(pool.totalCount).toBe(4);
  expect(warnings).not.toHaveBeenCalled();
  process.off("warning", warnings);
});

test("no more than maxRoutes routes, and none longer than 255 characters; said once", async () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const { scope, app, query } = makeShop({ maxRoutes: 3 }, { logger });
  const long = `/${"x".repeat(300)}`;
  for (const path of [long, "/a", "/b", "/c", "/d"]) app.get(path, query);
  for (const path of [long, "/a", "/b", "/c", "/d", "/a", "/c"]) await request(app).get(path).expect(200);
  expect(await counts(scope, "query")).toEqual({ [long.slice(0, 255)]: 1, "/a": 2, "/b": 1, _OTHER: 3 });
  expect(logger.warn.mock.calls).toEqual([
    ["poolscope - routes(): there are more than 3 routes (maxRoutes); the rest are _OTHER"],
  ]);
});

test("the option route names requests; what it does not name keeps its pattern, and what it throws stays here", async () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const route: RoutesOptions["route"] = ({ headers }) => {
    if (headers["x-fail"]) throw new Error("no rule");
    return headers["x-operation"] as string | undefined;
  };
  const { scope, app, query } = makeShop({ route }, { logger });
  app.get("/graphql", query);
  await request(app).get("/graphql").set("x-operation", "ListOrders").expect(200);
  await request(app).get("/graphql").expect(200);
  await request(app).get("/graphql").set("x-fail", "1").expect(200);
  expect(await counts(scope, "query")).toEqual({ ListOrders: 1, "/graphql": 2 });
  expect(logger.warn.mock.calls).toEqual([["poolscope - routes(): the option route threw: no rule"]]);
});

test.each([
  [{ maxRoutes: 0 }, "Expected `maxRoutes` to be a whole number from 1 to 1000, got `0` (number)"],
  [{ maxRoutes: 1001 }, "Expected `maxRoutes` to be a whole number from 1 to 1000, got `1001` (number)"],
  [{ route: "/x" }, 'Expected `route` to be a function, got `"/x"` (string)'],
  [{ serverTiming: "yes" }, 'Expected `serverTiming` to be true, false or a function, got `"yes"` (string)'],
  [{ routes: 5 }, "Expected `options` to be an object without the key `routes`: did you mean `route`?"],
])("options %j are refused", (options, message) => {
  expect(() => makeScope().routes(options as RoutesOptions)).toThrow(message);
});

test("the middleware twice, also where something in between lost the flow, counts once", async () => {
  const { scope, app, query } = makeShop({ serverTiming: true });
  const calls: (() => void)[] = [];
  const timer = setInterval(() => calls.shift()?.(), 1);
  app.use((_request, _response, next) => void calls.push(next));
  app.get("/lost", query);
  app.use(scope.routes({ serverTiming: true }) as RequestHandler);
  app.get("/found", query);
  try {
    await request(app).get("/lost").expect(200);
    const { headers } = await request(app).get("/found").expect(200);
    expect(headers["server-timing"]?.match(/db;/g)).toHaveLength(1);
  } finally {
    clearInterval(timer);
  }
  expect(await counts(scope, "query")).toEqual({ "/found": 1 });
});

function timing(header: string | undefined): Record<string, number> {
  const entries = (header ?? "").split(", ").map((entry) => entry.split(";dur="));
  return Object.fromEntries(entries.map(([name, dur]) => [name, Number(dur)]));
}

test("Server-Timing tells the time of queries and of waiting that has ended", async () => {
  const { pool, app } = makeShop({ serverTiming: true });
  app.get("/sleep", async (_request, response) => {
    await pool.query("SELECT pg_sleep(0.1)");
    await pool.query("SELECT pg_sleep(0.1)");
    response.json({ ok: true });
  });
  const started = performance.now();
  const { headers } = await request(app).get("/sleep").expect(200);
  const elapsed = performance.now() - started;
  expect(headers["server-timing"]).toMatch(/^db;dur=\d+\.\d, pool;dur=\d+\.\d$/);
  const { db = 0, pool: waited = 0 } = timing(headers["server-timing"]);
  expect(db).toBeGreaterThanOrEqual(199);
  expect(db + waited).toBeLessThan(elapsed);
});

test("Server-Timing counts waiting for a busy pool", async () => {
  const { scope, app } = makeShop({ serverTiming: true });
  const busy = makePool({ max: 1 });
  scope.watch(busy, { name: "busy" });
  const client = await busy.connect();
  app.get("/wait", async (_request, response) => {
    await busy.query("SELECT 1");
    response.end();
  });
  const answer = request(app)
    .get("/wait")
    .then((response) => response);
  await until(() => busy.waitingCount === 1);
  await client.query("SELECT pg_sleep(0.15)");
  client.release();
  const { db = 0, pool: waited = 0 } = timing((await answer).headers["server-timing"]);
  expect(waited).toBeGreaterThanOrEqual(149);
  expect(db).toBeLessThan(waited);
});

test("Server-Timing only where asked: a function decides, and what it throws means no", async () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const { app, query } = makeShop(
    {
      serverTiming: ({ headers }) => {
        if (headers["x-fail"]) throw new Error("no");
        return headers["x-debug"] === "1";
      },
    },
    { logger },
  );
  app.get("/a", query);
  expect((await request(app).get("/a").set("x-debug", "1")).headers["server-timing"]).toContain("db;dur=");
  expect((await request(app).get("/a")).headers["server-timing"]).toBeUndefined();
  expect(
    (await request(app).get("/a").set("x-fail", "1").expect(200)).headers["server-timing"],
  ).toBeUndefined();
  expect(logger.warn.mock.calls).toEqual([["poolscope - routes(): the option serverTiming threw: no"]]);
  const silent = makeShop();
  silent.app.get("/a", silent.query);
  expect((await request(silent.app).get("/a")).headers["server-timing"]).toBeUndefined();
});

test("without measured queries Server-Timing says nothing of them, and checkouts are counted", async () => {
  const { scope, app, query } = makeShop({ serverTiming: true }, { queries: "off" });
  app.get("/a", query);
  const { headers } = await request(app).get("/a").expect(200);
  expect(headers["server-timing"]).toMatch(/^pool;dur=\d+\.\d$/);
  expect(await counts(scope, "use")).toEqual({ "/a": 1 });
  expect(await counts(scope, "query")).toEqual({});
});

/** Every way to answer there is. With the middleware or without. */
function answers(use: RequestHandler | undefined): express.Express {
  const app = express();
  app.set("env", "test");
  if (use) app.use(use);
  app.use((req, res, next) => {
    res.setHeader(
      "X-Own",
      [Object.keys(req).length, Object.keys(res).includes("locals"), "listeners"].join(),
    );
    res.setHeader("X-Symbols", Object.getOwnPropertySymbols(req).length);
    next();
  });
  app.get("/json", (_req, res) => void res.json({ ok: true }));
  app.get(
    "/etag",
    (_req, res) => void res.set("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT").send("same"),
  );
  app.get("/stream", (_req, res) => {
    res.write("one");
    setImmediate(() => {
      res.write("two");
      res.end("three");
    });
  });
  app.get(
    "/object",
    (_req, res) => void res.writeHead(201, { "X-A": "1", "Set-Cookie": ["a=1", "b=2"] }).end("x"),
  );
  app.get("/message", (_req, res) => void res.writeHead(299, "Fine", { "X-A": "1" }).end("x"));
  app.get("/array", (_req, res) => {
    // A name twice is another matter: Node 20 loses the first of them where a header was set before.
    res.writeHead(200, ["X-A", "1", "Set-Cookie", "a=1"] as never).end("x");
  });
  app.get("/timed", (_req, res) => void res.set("Server-Timing", "app;dur=5").send("x"));
  app.get("/empty", (_req, res) => void res.status(204).end());
  app.get("/flushed", (_req, res) => {
    res.flushHeaders();
    res.end("late");
  });
  app.get("/twice", (_req, res) => {
    res.send("x");
    try {
      res.setHeader("X-Late", "1");
    } catch (error) {
      expect((error as { code?: string }).code).toBe("ERR_HTTP_HEADERS_SENT");
    }
  });
  app.get("/throws", function throwing() {
    throw new Error("thrown");
  });
  app.get("/next", (_req, _res, next) => next(new Error("handed on")));
  app.get("/fallthrough", (_req, _res, next) => next());
  app.get("/unhandled", (_req, _res, next) => next(Object.assign(new Error("unhandled"), { status: 418 })));
  const onError: ErrorRequestHandler = (error, _req, res, next) => {
    if (error.message === "unhandled") return next(error);
    const frames = String(error.stack)
      .split("\n")
      .filter((line) => line.includes("routes.test.ts"));
    res.status(500).json({ message: error.message, frames });
  };
  app.use(onError);
  return app;
}

test("an application answers the same with the middleware and without", async () => {
  const scope = makeScope();
  const [bare, measured, timed] = await Promise.all([
    listen(answers(undefined)),
    listen(answers(scope.routes() as RequestHandler)),
    listen(answers(makeScope().routes({ serverTiming: true }) as RequestHandler)),
  ]);
  const raw = async (port: number, method: string, path: string, headers = ""): Promise<string[]> => {
    const socket = connect(port, "127.0.0.1");
    // Two on one connection: the second closes it.
    const start = `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}`;
    socket.write(`${start}\r\n${start}Connection: close\r\n\r\n`);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    await once(socket, "close");
    return text.split("\r\n").filter((line) => !line.startsWith("Date: "));
  };
  const paths = [
    "json",
    "etag",
    "stream",
    "object",
    "message",
    "array",
    "timed",
    "empty",
    "flushed",
    "twice",
  ];
  const failing = ["throws", "next", "fallthrough", "unhandled", "nowhere"];
  const requests = [...paths, ...failing].flatMap((path) => [
    ["GET", `/${path}`, ""],
    ["HEAD", `/${path}`, ""],
    ["OPTIONS", `/${path}`, ""],
  ]);
  requests.push(["GET", "/etag", "If-Modified-Since: Mon, 23 Nov 2026 00:00:00 GMT\r\n"]);
  for (const [method = "", path = "", headers] of requests) {
    const expected = await raw(bare, method, path, headers);
    expect(expected.join().match(/HTTP\/1\.1 \d/g)).toHaveLength(2);
    expect(await raw(measured, method, path, headers), `${method} ${path}`).toEqual(expected);
    const withTiming = await raw(timed, method, path, headers);
    const header = "Server-Timing: db;dur=0.0, pool;dur=0.0";
    expect(
      withTiming.filter((line) => line === header || line.endsWith(", db;dur=0.0, pool;dur=0.0")),
    ).toHaveLength(2);
    // on-headers writes the headers one by one, so their order may differ; their number and text do not.
    const plain = withTiming
      .filter((line) => line !== header)
      .map((line) => line.replace(", db;dur=0.0, pool;dur=0.0", ""));
    expect([...plain].sort(), `${method} ${path}`).toEqual([...expected].sort());
  }
});

test("next is called once, without arguments, and what it throws passes through", async () => {
  const handler = makeScope().routes();
  const next = vi.fn(() => {
    throw new Error("from next");
  });
  const response = { once: vi.fn(), closed: false };
  expect(() => handler({} as never, response as never, next)).toThrow("from next");
  expect(next.mock.calls).toEqual([[]]);
});

test("after shutdown the middleware lets requests through", async () => {
  const { scope, app, query } = makeShop({ serverTiming: true });
  app.get("/a", query);
  await scope.shutdown();
  await request(app).get("/a").expect(200);
});
