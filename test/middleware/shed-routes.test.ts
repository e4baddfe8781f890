import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import express from "express";
import type pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import type { Poolscope, ShedLoadOptions } from "../../src/index.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

async function serve(app: RequestListener): Promise<string> {
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url, init);
  await response.text();
  return response.status;
}

/** A client that asks and is gone at once. */
async function askAndReset(url: string): Promise<void> {
  const { port, pathname } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  const written = new Promise((resolve) =>
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: localhost\r\n\r\n`, resolve),
  );
  await written;
  socket.resetAndDestroy();
}

/** Two pools, each with a route of its own, one with both, and one that needs no database. */
async function serveShop(options: ShedLoadOptions = { maxWaiting: 3 }) {
  const scope = makeScope();
  const [orders, reports] = [makePool({ max: 2 }), makePool({ max: 2 })];
  scope.watch(orders, { name: "orders" });
  scope.watch(reports, { name: "reports" });
  const app = express();
  app.use(scope.shedLoad(options));
  const query =
    (pool: pg.Pool): express.RequestHandler =>
    (_request, response, next) => {
      pool.query("SELECT 1").then(() => response.send("done"), next);
    };
  app.get("/orders/:id", query(orders));
  app.get("/reports", query(reports));
  const both = express.Router();
  both.get("/:year", async (_request, response) => {
    await Promise.all([orders.query("SELECT 1"), reports.query("SELECT 1")]);
    response.send("done");
  });
  app.use("/both", both);
  app.get("/static", (_request, response) => void response.send("here"));
  return { scope, orders, reports, origin: await serve(app) };
}

/** All connections of a pool held, until the test is over. */
async function hold(pool: pg.Pool): Promise<() => void> {
  const clients = await Promise.all(Array.from({ length: pool.options.max ?? 0 }, () => pool.connect()));
  return () => {
    for (const client of clients.splice(0)) client.release();
  };
}

function queueOn(pool: pg.Pool, callers: number): void {
  for (let at = 0; at < callers; at++) {
    pool.connect().then(
      (client) => client.release(),
      () => {},
    );
  }
}

test("a client that resets requests to one route sheds nothing of routes with other pools", async () => {
  const { scope, orders, reports, origin } = await serveShop();
  for (const path of ["/orders/1", "/reports", "/both/2026", "/static"]) {
    expect(await statusOf(origin + path)).toBe(200);
  }
  const release = await hold(reports);
  for (let at = 0; at < 30; at++) await askAndReset(`${origin}/reports`);
  // Those of background work wait, whoever has gone.
  queueOn(reports, 3);
  expect(await statusOf(`${origin}/reports`)).toBe(503);
  expect(await statusOf(`${origin}/both/2025`)).toBe(503);
  for (let at = 0; at < 10; at++) {
    expect(await statusOf(`${origin}/orders/${at}`)).toBe(200);
    expect(await statusOf(`${origin}/static`)).toBe(200);
  }
  expect(await read(scope, "reports")).toMatchObject({ shed: expect.any(Number), shedding: true });
  expect(await read(scope, "orders")).toMatchObject({ shed: 0, shedding: false });
  release();
  await until(async () => (await statusOf(`${origin}/reports`)) === 200);
  expect(orders.waitingCount).toBe(0);
});

test("callers whose client has gone do not count as waiting, and those that are there do", async () => {
  const { reports, origin } = await serveShop();
  expect(await statusOf(`${origin}/reports`)).toBe(200);
  const release = await hold(reports);
  for (let at = 0; at < 3; at++) {
    await askAndReset(`${origin}/reports`);
    await until(() => reports.waitingCount === at + 1);
  }
  const honest: Promise<number>[] = [];
  for (let at = 0; at < 3; at++) {
    const waiting = reports.waitingCount;
    await until(async () => {
      // Until the server has seen that the others have gone, it may be refused.
      const answer = statusOf(`${origin}/reports`);
      const refused = await Promise.race([answer, until(() => reports.waitingCount > waiting).then(() => 0)]);
      if (refused === 0) honest.push(answer);
      return refused === 0;
    });
  }
  expect(await statusOf(`${origin}/reports`)).toBe(503);
  release();
  expect(await Promise.all(honest)).toEqual([200, 200, 200]);
});

test("a queue ten times too long sheds although all its clients have gone", async () => {
  const { reports, origin } = await serveShop({ maxWaiting: 1 });
  expect(await statusOf(`${origin}/reports`)).toBe(200);
  const release = await hold(reports);
  await until(async () => {
    await askAndReset(`${origin}/reports`);
    return reports.waitingCount === 10;
  });
  expect(await statusOf(`${origin}/reports`)).toBe(503);
  release();
  await until(async () => (await statusOf(`${origin}/reports`)) === 200);
});

test("a route is refused once a request of it has used the pool, under all its paths", async () => {
  const { orders, origin } = await serveShop({ maxWaiting: 1 });
  const release = await hold(orders);
  queueOn(orders, 1);
  const first = statusOf(`${origin}/orders/1`);
  await until(() => orders.waitingCount === 2);
  expect(await statusOf(`${origin}/orders/2`)).toBe(503);
  expect(await statusOf(`${origin}/orders/3`, { method: "HEAD" })).toBe(503);
  expect(await statusOf(`${origin}/orders/4`, { method: "POST" })).toBe(404);
  expect(await statusOf(`${origin}/elsewhere`)).toBe(404);
  release();
  expect(await first).toBe(200);
});

function layered(scope: Poolscope, users: pg.Pool, orders: pg.Pool): express.Express {
  const app = express();
  app.use(scope.shedLoad({ maxWaiting: 1 }));
  app.get("/still", (_request, response) => void response.send("here"));
  // A route that every request below goes through, and that answers some itself.
  app.all(/.*/, (request, response, next) => {
    if (request.url === "/none") return void response.status(401).send("no");
    users.query("SELECT 1").then(() => next(), next);
  });
  const sub = express();
  sub.get("/plain", (_request, response) => void response.send("plain"));
  sub.get("/:id", (_request, response, next) => {
    orders.query("SELECT 1").then(() => response.send("order"), next);
  });
  app.use("/orders", sub);
  return app;
}

test("routes that others go through, and routes of mounted applications, are told apart", async () => {
  const scope = makeScope();
  const [users, orders] = [makePool({ max: 2 }), makePool({ max: 2 })];
  scope.watch(users, { name: "users" });
  scope.watch(orders, { name: "orders" });
  const origin = await serve(layered(scope, users, orders));
  const statuses = async () => {
    const paths = ["/still", "/none", "/orders/plain", "/orders/7"];
    return Promise.all(paths.map((path) => statusOf(origin + path)));
  };
  expect(await statuses()).toEqual([200, 401, 200, 200]);
  const releaseOrders = await hold(orders);
  queueOn(orders, 1);
  expect(await statuses()).toEqual([200, 401, 200, 503]);
  releaseOrders();
  await until(() => orders.idleCount === 2);
  const releaseUsers = await hold(users);
  queueOn(users, 1);
  expect(await statuses()).toEqual([200, 503, 503, 503]);
  releaseUsers();
});

test("what no route matches is known by its mount, and without Express by its first part", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const handle: RequestListener = (request, response) => {
    if (request.url?.startsWith("/still")) return void response.end("here");
    pool.query("SELECT 1").then(
      () => response.end("done"),
      () => response.destroy(),
    );
  };
  const app = express();
  app.use(scope.shedLoad({ maxWaiting: 1 }));
  app.use("/shop/orders", handle);
  app.use((_request, response) => void response.status(404).end("nothing"));
  const shedding = scope.shedLoad({ maxWaiting: 1 });
  const [mounted, bare] = [
    await serve(app),
    await serve((request, response) => shedding(request, response, () => handle(request, response))),
  ];
  const statuses = () =>
    Promise.all(
      [`${mounted}/shop/orders/1`, `${mounted}/shop/other`, `${bare}/orders/1`, `${bare}/still`].map((url) =>
        statusOf(url),
      ),
    );
  expect(await statuses()).toEqual([200, 404, 200, 200]);
  const release = await hold(pool);
  queueOn(pool, 1);
  expect(await statuses()).toEqual([503, 404, 503, 200]);
  release();
});

test("routes() measures the same with shedLoad() before it and after it", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const app = express();
  const query: express.RequestHandler = (_request, response, next) => {
    pool.query("SELECT 1").then(() => response.send("done"), next);
  };
  app.use("/metrics", scope.metrics({ cacheMillis: 0 }));
  app.use(scope.shedLoad());
  app.get("/unmeasured", query);
  app.use(scope.routes());
  app.get("/before", query);
  app.use(scope.shedLoad());
  app.get("/after", query);
  const origin = await serve(app);
  for (const path of ["/unmeasured", "/before", "/after"]) expect(await statusOf(origin + path)).toBe(200);
  const counts = async () =>
    [
      ...(await (await fetch(`${origin}/metrics`)).text()).matchAll(
        /route_wait_time_seconds_count\{.*http_route="(.*?)".*\} (\d)/g,
      ),
    ]
      .map(([, route, count]) => `${route} ${count}`)
      .sort();
  await until(async () => (await counts()).length === 2);
  expect(await counts()).toEqual(["/after 1", "/before 1"]);
});
