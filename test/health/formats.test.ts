import type { AddressInfo } from "node:net";
import express from "express";
import fc from "fast-check";
import request from "supertest";
import { expect, onTestFinished, test } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";

const HEALTH_JSON = "application/health+json";

function makeApp() {
  const scope = makeScope();
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.use("/health", scope.health({ cacheMillis: 0, components: { cache: () => false } }));
  return { app, pool, scope };
}

test("Accept: application/health+json gets the shape of the IETF draft", async () => {
  const { app, pool } = makeApp();
  const client = await pool.connect();
  await client.query("SELECT 1");
  const server = app.listen(0);
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const get = async (path: string) => {
    const response = await fetch(`http://localhost:${port}${path}`, { headers: { accept: HEALTH_JSON } });
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      body: (await response.json()) as Record<string, never>,
    };
  };
  const one = await get("/health/database");
  expect(one.type).toBe(HEALTH_JSON);
  const time = expect.stringMatching(/Z$/);
  const common = { componentId: "orders", componentType: "datastore", status: "pass", time };
  expect(one.body).toEqual({
    status: "pass",
    checks: {
      "orders:utilization": [{ ...common, observedValue: 50, observedUnit: "percent" }],
      "orders:connections": [{ ...common, observedValue: 1, observedUnit: "connections" }],
      "orders:pending": [{ ...common, observedValue: 0, observedUnit: "requests" }],
      "orders:waitTime": [{ ...common, observedValue: expect.any(Number), observedUnit: "ms" }],
    },
  });
  const all = await get("/health");
  expect(all.status).toBe(503);
  expect(all.body).toMatchObject({
    status: "fail",
    checks: { cache: [{ componentType: "component", status: "fail" }] },
  });
  await pool.connect();
  const full = (await get("/health/database/orders")).body;
  expect(full["status"]).toBe("fail");
  expect(full["checks"]?.["orders:utilization"]?.[0]).toMatchObject({
    status: "fail",
    output: "orders: 2/2 in use",
  });
  expect((await get("/health/ready")).body).toEqual({ status: "pass" });
});

test.each([
  ["*/*", "application/json; charset=utf-8"],
  ["application/json", "application/json; charset=utf-8"],
  ["application/health+json;q=0.9, application/json;q=0.1", HEALTH_JSON],
  ["application/health+json;q=0", "application/json; charset=utf-8"],
  ["text/html", "application/json; charset=utf-8"],
  [";;;===", "application/json; charset=utf-8"],
])("Accept: %s is answered with %s", async (accept, type) => {
  const { headers, status } = await request(makeApp().app).get("/health/live").set("Accept", accept);
  expect(status).toBe(200);
  expect(headers).toMatchObject({ "content-type": type, vary: "Accept", "cache-control": "no-store" });
});

test("?verbose adds what each pool is doing to /ready", async () => {
  const { app } = makeApp();
  const short = await request(app).get("/health/ready").expect(200);
  expect(short.body).toEqual({ status: "ready", timestamp: expect.any(String) });
  const long = await request(app).get("/health/ready?verbose").expect(200);
  expect(long.body).toMatchObject({
    status: "ready",
    pools: [{ name: "orders", status: "healthy", condition: "ok", verdict: "orders: 0/2 in use" }],
  });
});

test("/started is 503 until a pool is watched, and 200 for ever after", async () => {
  const scope = makeScope();
  const app = express();
  app.use("/health", scope.health());
  expect((await request(app).get("/health/started").expect(503)).body).toMatchObject({ status: "starting" });
  const watch = scope.watch(makePool(), { name: "orders" });
  expect((await request(app).get("/health/started").expect(200)).body).toMatchObject({ status: "started" });
  watch.unwatch();
  await request(app).get("/health/started").expect(200);
});

const SECRETS = /sw0rdfish|s3cret|someone|node_modules|\bat .*:\d+:\d+/;

test("5,000 random requests: only these codes, no stack, no secret", async () => {
  const scope = makeScope({ slowQueryMillis: 1 });
  const pool = makePool({
    host: undefined as never,
    connectionString: "postgres://someone:sw0rdfish@127.0.0.1:1/shop?application_name=s3cret",
  });
  scope.watch(pool, { name: "shop" });
  const working = makePool();
  scope.watch(working, { name: "orders" });
  await pool.query("SELECT 's3cret'").catch(() => {});
  await working.query("SELECT pg_sleep(0.01), 's3cret'");
  const app = express();
  const failing = () => Promise.reject(new Error("s3cret"));
  app.use(
    "/health",
    scope.health({ components: { cache: failing }, details: (req) => req.url?.includes("v") === true }),
  );
  app.use((_request, response) => void response.status(404).end("elsewhere"));
  const server = app.listen(0);
  const part = fc.oneof(
    fc.constantFrom(
      "health",
      "database",
      "live",
      "ready",
      "started",
      "orders",
      "shop",
      "..",
      "%2e",
      "%E0%A4%A",
      "",
    ),
    fc.string({ maxLength: 8 }).map((text) => encodeURIComponent(text.replace(/[\uD800-\uDFFF]/g, ""))),
  );
  const query = fc.oneof(
    fc.constantFrom(
      "",
      "?",
      "?limit=5",
      "?limit=0",
      "?limit=5&limit=6",
      "?verbose",
      "?verbose=false",
      "?limit=%",
    ),
    fc.webQueryParameters({ size: "small" }).map((text) => `?${text}`),
  );
  const seen: Record<number, number> = {};
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 4 }),
      query,
      fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
      fc.dictionary(
        fc.constantFrom(
          "accept",
          "accept-encoding",
          "if-none-match",
          "range",
          "content-type",
          "x-forwarded-for",
        ),
        fc.oneof(fc.constantFrom("*/*", HEALTH_JSON, "bytes=0-1", "*"), fc.stringMatching(/^[ -~]{0,20}$/)),
      ),
      async (parts, search, method, headers) => {
        const path = `/health/${parts.join("/")}${search}`;
        const { port } = server.address() as AddressInfo;
        const response = await fetch(`http://localhost:${port}${path}`, { method, headers });
        const text = await response.text();
        seen[response.status] = (seen[response.status] ?? 0) + 1;
        expect([200, 400, 404, 405, 503]).toContain(response.status);
        expect(text).not.toMatch(SECRETS);
        // Express itself answers OPTIONS.
        if (method !== "OPTIONS") expect(response.headers.get("etag")).toBeNull();
        if (text && text !== "elsewhere" && method !== "OPTIONS") JSON.parse(text);
      },
    ),
    { numRuns: 5_000 },
  );
  expect(Object.keys(seen).sort()).toEqual(["200", "400", "404", "405", "503"]);
  server.closeAllConnections();
  server.close();
}, 120_000);
