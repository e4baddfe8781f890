import express, { type Express } from "express";
import request from "supertest";
import { expect, test } from "vitest";
import type { Poolscope } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";

const LINE =
  "poolscope - routes not measured: scope.routes() is mounted behind the routes, where requests do not reach it; mount it before them";

function stage(): { readonly scope: Poolscope; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const scope = makeScope({ logger: { debug() {}, info() {}, warn: note, error: note } });
  scope.watch(makePool(), { name: "orders" });
  return { scope, lines };
}

function withRoute(app: express.Router, path = "/orders"): void {
  app.get(path, (_request, response) => void response.json([]));
}

async function ask(app: Express, ...paths: string[]): Promise<void> {
  for (const path of paths) await request(app).get(path);
}

test("routes() mounted behind the routes logs so once", async () => {
  const { scope, lines } = stage();
  const app = express();
  withRoute(app);
  app.use(scope.routes());
  await ask(app, "/orders", "/nowhere", "/orders");
  expect(lines).toEqual([LINE]);
});

test("routes() mounted behind a router logs so", async () => {
  const { scope, lines } = stage();
  const app = express();
  const router = express.Router();
  withRoute(router);
  app.use("/api", router);
  app.use(scope.routes());
  app.use((_request: express.Request, response: express.Response) => void response.status(404).end());
  await ask(app, "/nowhere", "/api/orders", "/api/orders");
  expect(lines).toEqual([LINE]);
});

test("routes() before an application within the application logs nothing", async () => {
  const { scope, lines } = stage();
  const app = express();
  const inner = express();
  withRoute(inner);
  withRoute(app, "/version");
  app.use(scope.routes());
  app.use("/api", inner);
  await ask(app, "/version", "/api/orders", "/version");
  expect(lines).toEqual([]);
});

test("routes() mounted before the routes logs nothing", async () => {
  const { scope, lines } = stage();
  const app = express();
  app.use("/health", scope.health());
  app.use("/metrics", scope.metrics());
  app.use(scope.routes());
  withRoute(app);
  await ask(app, "/health/live", "/metrics", "/nowhere", "/orders", "/health/live");
  expect(lines).toEqual([]);
});

test("routes() mounted between routes logs nothing: some are left out on purpose", async () => {
  const { scope, lines } = stage();
  const app = express();
  withRoute(app, "/version");
  app.use(scope.routes());
  withRoute(app);
  await ask(app, "/version", "/orders", "/version");
  expect(lines).toEqual([]);
});

test("routes() behind poolscope's own routes alone logs nothing", async () => {
  const { scope, lines } = stage();
  const app = express();
  app.use("/health", scope.health());
  app.use(scope.routes());
  app.use((_request: express.Request, response: express.Response) => void response.end());
  await ask(app, "/health/live", "/graphql");
  expect(lines).toEqual([]);
});

test("routes() of a scope that is shut down logs nothing", async () => {
  const { scope, lines } = stage();
  const app = express();
  withRoute(app);
  app.use(scope.routes());
  await scope.shutdown();
  await ask(app, "/orders");
  expect(lines.filter((line) => line === LINE)).toEqual([]);
});
