import express from "express";
import type pg from "pg";
import request from "supertest";
import { expect, test } from "vitest";
import type { HealthOptions, Poolscope, PoolscopeOptions } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

function makeApp(scope: Poolscope, options?: HealthOptions, path = "/health"): express.Express {
  const app = express();
  app.use(path, scope.health({ cacheMillis: 0, ...options }));
  app.use("/metrics", scope.metrics());
  return app;
}

function hold(pool: pg.Pool, clients: number): Promise<pg.PoolClient[]> {
  return Promise.all(Array.from({ length: clients }, () => pool.connect()));
}

const TIMESTAMP = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test("these tests run on the Express they say they run on", () => {
  // `express.query` left with version 5.
  expect("query" in express).toBe(process.env["EXPRESS_MAJOR"] === "4");
});

test("/database tells the numbers of one pool, with exactly these names", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 30, min: 20 });
  scope.watch(pool, { name: "orders" });
  const clients = await hold(pool, 5);
  for (const client of clients.splice(0, 2)) client.release();

  const { status, body, headers } = await request(makeApp(scope)).get("/health/database");
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  });
  const { pools, ...together } = body;
  expect(together).toEqual({
    status: "healthy",
    pool_size: 20,
    max_overflow: 10,
    available: 2,
    in_use: 3,
    overflow_active: 0,
    total_capacity: 30,
    usage_percent: 10,
    timestamp: TIMESTAMP,
    recent_history: [],
  });
  expect(pools).toHaveLength(1);
  expect(pools[0]).toMatchObject({
    ...together,
    timestamp: TIMESTAMP,
    name: "orders",
    verdict: "orders: 3/30 in use",
    pending: 0,
    connecting: 0,
    peak_in_use: 5,
    checkouts: 5,
    connects: 5,
    timeouts: { wait: 0, dial: 0 },
    wait_seconds: { count: 5 },
    use_seconds: { count: 2 },
    create_seconds: { count: 5 },
  });
});

test("with several pools the top sums them up and takes the worst status; nothing crosses over", async () => {
  const scope = makeScope();
  const [orders, reports] = [makePool({ max: 10, min: 4 }), makePool({ max: 2 })];
  scope.watch(orders, { name: "orders" });
  scope.watch(reports, { name: "reports" });
  await hold(orders, 1);
  await hold(reports, 2);
  void reports.connect().then((client) => client.release());

  const { status, body } = await request(makeApp(scope)).get("/health/database");
  expect(status).toBe(503);
  expect(body).toMatchObject({
    status: "critical",
    pool_size: 6,
    max_overflow: 6,
    in_use: 3,
    total_capacity: 12,
    usage_percent: 25,
    pools: [
      { name: "orders", status: "healthy", in_use: 1, pending: 0, usage_percent: 10 },
      { name: "reports", status: "critical", in_use: 2, pending: 1, usage_percent: 100 },
    ],
  });
  expect(body.pools[1].verdict).toMatch(
    /^reports: 2\/2 in use, 1 waiting \(oldest \d+\.\d s\); exhausted: raise max or look for long holds$/,
  );

  await request(makeApp(scope)).get("/health").expect(503);
  const one = await request(makeApp(scope)).get("/health/database/orders").expect(200);
  expect(one.body).toMatchObject({ name: "orders", status: "healthy", in_use: 1 });
  await request(makeApp(scope)).get("/health/database/reports").expect(503);
  await request(makeApp(scope)).get("/health/live").expect(200);
});

test.each([
  [7, "warning", 200],
  [8, "warning", 200],
  [9, "critical", 503],
  [6, "healthy", 200],
])("%i of 10 in use is %s and answers %i", async (used, status, code) => {
  const scope = makeScope({ thresholds: { warning: 0.7 } });
  const pool = makePool({ max: 10 });
  scope.watch(pool);
  await hold(pool, used);
  const response = await request(makeApp(scope)).get("/health").expect(code);
  expect(response.body).toMatchObject({ status, components: { database: { status } } });
});

test("nothing watched is unknown, and degrades the whole without failing it", async () => {
  const app = makeApp(makeScope());
  const database = await request(app).get("/health/database").expect(200);
  expect(database.body).toEqual({
    status: "unknown",
    message: "no pool is watched: call scope.watch(pool)",
    timestamp: TIMESTAMP,
    pools: [],
  });
  const health = await request(app).get("/health").expect(200);
  expect(health.body).toMatchObject({ status: "degraded", components: { database: { status: "unknown" } } });
});

test("after shutdown health is unknown and metrics answer 503", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const app = makeApp(scope);
  await scope.shutdown();
  const { body } = await request(app).get("/health/database").expect(200);
  expect(body).toMatchObject({ status: "unknown", message: expect.stringContaining("could not be read") });
  expect(body.in_use).toBeUndefined();
  await request(app).get("/metrics").expect(503, "poolscope: the metrics could not be collected\n");
});

test("a server that is down: the pool is watched, health answers, nothing throws", async () => {
  const scope = makeScope();
  const pool = makePool({ port: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1").catch(() => {});
  const { body } = await request(makeApp(scope)).get("/health/database").expect(200);
  expect(body).toMatchObject({ in_use: 0, pools: [{ connect_failures: { refused: 1 }, connects: 0 }] });
});

async function sampledScope(options: PoolscopeOptions = {}): Promise<Poolscope> {
  const scope = makeScope({ sampleIntervalMillis: 10, ...options });
  const [orders, reports] = [makePool({ max: 4 }), makePool({ max: 4 })];
  scope.watch(orders, { name: "orders" });
  scope.watch(reports, { name: "reports" });
  await hold(orders, 1);
  await hold(reports, 3);
  await until(() => scope.history("reports", 100).filter(({ used }) => used === 3).length >= 12);
  return scope;
}

test("recent history: the last 5 samples, or as many as ?limit= asks for, summed over pools", async () => {
  const app = makeApp(await sampledScope());
  const { body } = await request(app).get("/health/database");
  expect(body.recent_history).toHaveLength(5);
  expect(body.recent_history).toEqual(
    body.recent_history.map(() => ({ checkedout: 4, usage_percent: 50, timestamp: TIMESTAMP })),
  );
  const times = body.recent_history.map((entry: { timestamp: string }) => entry.timestamp);
  expect(times).toEqual([...new Set(times)].sort());
  expect(body.pools.map((pool: { recent_history: unknown[] }) => pool.recent_history.length)).toEqual([5, 5]);
  expect(body.pools[1].recent_history[0]).toMatchObject({ checkedout: 3, usage_percent: 75 });

  const longer = await request(app).get("/health/database?limit=11");
  expect(longer.body.recent_history).toHaveLength(11);
  const one = await request(app).get("/health/database/orders?limit=1");
  expect(one.body.recent_history).toEqual([{ checkedout: 1, usage_percent: 25, timestamp: TIMESTAMP }]);
  const all = await request(app).get("/health?limit=2");
  expect(all.body.components.database.recent_history).toHaveLength(2);
});

test.each(["0", "101", "-1", "1.5", "ten", "", "1e1", "5&limit=6", "%00", "999999"])(
  "?limit=%s is refused with 400",
  async (limit) => {
    const scope = makeScope();
    scope.watch(makePool(), { name: "orders" });
    for (const path of ["/health", "/health/database", "/health/database/orders"]) {
      const { body } = await request(makeApp(scope)).get(`${path}?limit=${limit}`).expect(400);
      expect(body).toEqual({ error: "limit must be one whole number from 1 to 100" });
    }
  },
);

test("HEAD answers like GET without a body; other methods are refused; unknown paths are 404", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "a/b c" });
  const app = makeApp(scope);
  for (const path of [
    "/health",
    "/health/",
    "/health/database",
    "/health/live",
    "/health/database/a%2Fb%20c",
  ]) {
    const get = await request(app).get(path).expect(200);
    const head = await request(app).head(path).expect(200);
    expect(head.text ?? "").toBe("");
    expect(Number(head.headers["content-length"])).toBeGreaterThan(0);
    expect(get.headers["etag"]).toBeUndefined();
    const post = await request(app).post(path).expect(405);
    expect(post.headers["allow"]).toBe("GET, HEAD");
    expect(post.body).toEqual({ error: "only GET and HEAD" });
  }
  await request(app).get("/health/nothing").expect(404, { error: "there is nothing at this path" });
  await request(app).get("/health/database/nobody").expect(404, { error: "no pool of this name is watched" });
  const metrics = await request(app).post("/metrics").expect(405);
  expect(metrics.headers["allow"]).toBe("GET, HEAD");
});

test("a path that cannot be decoded is 400 in JSON, without a stack", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const { text } = await request(makeApp(scope)).get("/health/database/%E0%A4%A").expect(400);
  expect(text).toBe('{"error":"the path cannot be read"}\n');
});

test("works wherever it is mounted and whatever the application is set to", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const app = express();
  app.set("query parser", false);
  app.set("trust proxy", true);
  app.set("json spaces", 4);
  app.use(express.json());
  const inner = express();
  inner.use("/internal/health", scope.health());
  app.use("/deep", inner);
  app.use((_request, response) => void response.status(418).end());
  const { body } = await request(app).get("/deep/internal/health/database?limit=3").expect(200);
  expect(body).toMatchObject({ status: "healthy" });
  await request(app).get("/deep/internal/health/database?limit=x").expect(400);
});

test("a storm of probes costs one reading per cache window", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  let looks = 0;
  const { totalCount } = pool;
  Object.defineProperty(pool, "totalCount", { configurable: true, get: () => ++looks && totalCount });
  const app = makeApp(scope, { cacheMillis: 60_000 });
  await request(app).get("/health").expect(200);
  const looksOfOneReading = looks;
  await Promise.all(Array.from({ length: 50 }, () => request(app).get("/health/database").expect(200)));
  expect(looks).toBe(looksOfOneReading);
});

test("no secret of the connection is shown anywhere", async () => {
  const scope = makeScope({ sampleIntervalMillis: 10 });
  const pool = makePool({
    host: undefined as never,
    connectionString: "postgres://someone:sw0rdfish@127.0.0.1:1/shop?application_name=app-s3cret",
  });
  scope.watch(pool);
  await pool.query("SELECT 's3cret'").catch(() => {});
  const app = makeApp(scope);
  await until(() => scope.history("shop").length > 0);
  for (const path of ["/health", "/health/database", "/health/database/shop", "/metrics", "/health/x"]) {
    const { text } = await request(app).get(path);
    expect(text).not.toMatch(/sw0rdfish|s3cret|someone/);
  }
  const { text } = await request(app).get("/health/database");
  expect(text).not.toContain("127.0.0.1");
});
