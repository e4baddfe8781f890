import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler } from "express";
import type pg from "pg";
import request from "supertest";
import { afterEach, expect, test, vi } from "vitest";
import { type Poolscope, PoolscopeError, type ShedLoadOptions } from "../../src/index.ts";
import { makePool, makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

/** Health and metrics first, then the middleware, then a route that queries. */
function makeApp(scope: Poolscope, pool: pg.Pool, options?: ShedLoadOptions): express.Express {
  const app = express();
  app.use("/health", scope.health({ cacheMillis: 0 }));
  app.use("/metrics", scope.metrics());
  app.use(scope.shedLoad(options));
  app.use("/one", (_request, response, next) => {
    pool.query("SELECT 1 AS one").then(({ rows }) => response.json(rows), next);
  });
  // Asks the pool only where it is told to; but then it is a route that uses it.
  app.get("/still", (request, response, next) => {
    const used = request.url.endsWith("?use") ? pool.query("SELECT 1") : Promise.resolve();
    used.then(() => response.send("here"), next);
  });
  return app;
}

/** From here on `/still` is known for a route that uses the pool. */
async function learn(app: express.Express): Promise<void> {
  await request(app).get("/still?use").expect(200);
}

/** A pool whose connections are all held, and callers queued behind them: each release serves one. */
class FullPool {
  readonly pool: pg.Pool;
  readonly #held: pg.PoolClient[] = [];

  constructor(options: pg.PoolConfig = {}) {
    this.pool = makePool({ max: 2, ...options });
  }

  async fill(): Promise<void> {
    for (let at = 0; at < (this.pool.options.max ?? 0); at++) this.#held.push(await this.pool.connect());
  }

  queue(callers: number): void {
    for (let at = 0; at < callers; at++) void this.pool.connect().then((client) => this.#held.push(client));
  }

  /** Serves callers until only so many wait. */
  async drainTo(waiting: number): Promise<void> {
    while (this.pool.waitingCount > waiting) {
      this.#held.shift()?.release();
      await until(() => this.#held.length === this.pool.options.max);
    }
  }

  /** Serves everyone, and lets go of everything. */
  async empty(): Promise<void> {
    await until(() => {
      for (const client of this.#held.splice(0)) client.release();
      return this.pool.waitingCount === 0 && this.pool.idleCount === this.pool.totalCount;
    });
  }
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(app: express.Express): Promise<string> {
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function spyLogger() {
  return { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

test("a burst on an exhausted pool queues up to maxWaiting and no further; the rest is told to come back", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  const app = makeApp(scope, full.pool, { maxWaiting: 5, retryAfterSeconds: 3 });
  let mostWaiting = 0;
  const look = setInterval(() => {
    mostWaiting = Math.max(mostWaiting, full.pool.waitingCount);
  }, 1);
  closing.push(() => clearInterval(look));

  const origin = await serve(app);
  const burst = Array.from({ length: 30 }, () => fetch(`${origin}/one`));
  const refused: Response[] = [];
  for (const answer of burst)
    void answer.then((response) => response.status !== 200 && refused.push(response));
  await until(() => refused.length === 25);
  expect(full.pool.waitingCount).toBe(5);
  for (const { status, headers } of refused) {
    expect([status, headers.get("retry-after"), headers.get("cache-control")]).toEqual([
      503,
      "3",
      "no-store",
    ]);
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
  }
  expect(await refused[0]?.json()).toEqual({ error: "overloaded: try again later", retry_after_seconds: 3 });
  expect(await read(scope, "orders")).toMatchObject({ shed: 25, shedding: true, waiting: 5, requests: 7 });

  await full.empty();
  const answers = await Promise.all(burst);
  const served = answers.filter(({ status }) => status === 200);
  expect(served).toHaveLength(5);
  for (const answer of served) {
    expect(await answer.json()).toEqual([{ one: 1 }]);
    expect(answer.headers.has("retry-after")).toBe(false);
  }
  expect(mostWaiting).toBe(5);
  expect(await read(scope, "orders")).toMatchObject({ shed: 25, requests: 7, checkouts: 7, timeouts: 0 });
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  expect(metrics).toMatch(/^poolscope_middleware_shed_total\{.*pool_name="orders".*\} 25$/m);
});

test("it sheds from maxWaiting on, and until fewer than half as many wait", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  const app = makeApp(scope, full.pool, { maxWaiting: 4 });
  await learn(app);
  await full.fill();
  const status = async () => (await request(app).get("/still")).status;

  full.queue(3);
  expect(await status()).toBe(200);
  full.queue(1);
  expect(await status()).toBe(503);
  for (const [waiting, expected] of [
    [3, 503],
    [2, 503],
    [1, 200],
  ] as const) {
    await full.drainTo(waiting);
    expect([waiting, await status()]).toEqual([waiting, expected]);
  }
  full.queue(2); // three again, from below
  expect(await status()).toBe(200);
  full.queue(1);
  expect(await status()).toBe(503);
  await full.empty();
  expect(await status()).toBe(200);
});

test("it sheds where the expected wait is too long: callers queued × mean hold ÷ connections", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  for (let at = 0; at < 4; at++) await full.pool.query("SELECT pg_sleep(0.1)");
  const app = makeApp(scope, full.pool, { maxWaiting: 1000, maxWaitMillis: 1000, pools: ["orders"] });
  await full.fill();

  full.queue(4); // 4 × 100 ms ÷ 2 = 0.2 s
  await request(app).get("/still").expect(200);
  full.queue(36); // 2 s
  await request(app).get("/still").expect(503);
});

test("without options ten may wait for each connection", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool);
  const app = makeApp(scope, full.pool);
  await learn(app);
  await full.fill();
  full.queue(19);
  await request(app).get("/still").expect(200);
  full.queue(1);
  await request(app).get("/still").expect(503);
  await full.empty();
});

test("a full pool that nobody waits for sheds nothing", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  const app = makeApp(scope, full.pool, { maxWaiting: 1, maxWaitMillis: 1 });
  await learn(app);
  await full.fill();
  await request(app).get("/still").expect(200);
  expect(await read(scope, "orders")).toMatchObject({ shed: 0, shedding: false });
  full.queue(1);
  await request(app).get("/still").expect(503);
});

test("only the pools named are looked at, each by itself", async () => {
  const scope = makeScope();
  const [orders, reports] = [new FullPool(), new FullPool()];
  scope.watch(orders.pool, { name: "orders" });
  scope.watch(reports.pool, { name: "reports" });
  await Promise.all([orders.fill(), reports.fill()]);
  const both = makeApp(scope, orders.pool, { maxWaiting: 1, pools: ["orders", "reports"] });
  const one = makeApp(scope, orders.pool, { maxWaiting: 1, pools: ["orders"] });

  reports.queue(1);
  await request(one).get("/still").expect(200);
  await request(both).get("/still").expect(503);
  expect(await read(scope, "orders")).toMatchObject({ shed: 0, shedding: false });
  expect(await read(scope, "reports")).toMatchObject({ shed: 1, shedding: true });
  orders.queue(1);
  await request(one).get("/still").expect(503);
  expect(await read(scope, "orders")).toMatchObject({ shed: 1, shedding: true });
});

test("pools watched later count too, and those that ended or are let go do not", async () => {
  const scope = makeScope();
  const first = new FullPool();
  const app = makeApp(scope, first.pool, { maxWaiting: 1 });
  await request(app).get("/still").expect(200);
  const watch = scope.watch(first.pool, { name: "orders" });
  await learn(app);
  await first.fill();
  first.queue(1);
  await request(app).get("/still").expect(503);
  watch.unwatch();
  await request(app).get("/still").expect(200);

  const second = new FullPool();
  scope.watch(second.pool, { name: "orders" });
  const later = makeApp(scope, second.pool, { maxWaiting: 1 });
  await learn(later);
  await second.fill();
  second.queue(1);
  await request(later).get("/still").expect(503);
  await scope.shutdown();
  await request(later).get("/still").expect(200);
});

test("`skip` lets a request through, and is asked only while requests are shed", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  const skip = vi.fn((req: { headers: Record<string, unknown> }) => req.headers["x-important"] === "yes");
  const app = makeApp(scope, full.pool, { maxWaiting: 1, pools: ["orders"], skip: skip as never });
  await request(app).get("/still").expect(200);
  expect(skip).not.toHaveBeenCalled();
  full.queue(1);
  await request(app).get("/still").expect(503);
  await request(app).get("/still").set("x-important", "yes").expect(200, "here");
  expect((await read(scope, "orders")).shed).toBe(1);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("no session");
    },
    "threw (no session)",
  ],
  [
    "rejects",
    (() => Promise.reject(new Error("late"))) as unknown as () => boolean,
    "gave a promise, it has to answer at once",
  ],
])("a `skip` that %s lets nothing through, and is complained of once", async (_what, skip, said) => {
  const logger = spyLogger();
  const scope = makeScope({ logger });
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  const app = makeApp(scope, full.pool, { maxWaiting: 1, pools: ["orders"], skip });
  full.queue(1);
  await request(app).get("/still").expect(503);
  await request(app).get("/still").expect(503);
  expect(logger.error.mock.calls).toEqual([
    [`poolscope - \`skip\` of shedLoad() ${said}: the request was not skipped`],
  ]);
});

test("with onShed: next the application's error handler answers, and Express's own where there is none", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  full.queue(1);
  const options: ShedLoadOptions = {
    maxWaiting: 1,
    pools: ["orders"],
    onShed: "next",
    statusCode: 429,
    retryAfterSeconds: 7,
  };

  const bare = await request(makeApp(scope, full.pool, options).set("env", "test")).get("/still");
  expect([bare.status, bare.headers["retry-after"]]).toEqual([429, "7"]);

  const errors: unknown[] = [];
  const app = makeApp(scope, full.pool, options);
  const handler: ErrorRequestHandler = (error, _request, response, _next) => {
    errors.push(error);
    response.status(error.status).send("<h1>Busy</h1>");
  };
  app.use(handler);
  const own = await request(app).get("/still");
  expect([own.status, own.text, own.headers["retry-after"]]).toEqual([429, "<h1>Busy</h1>", "7"]);
  expect(errors[0]).toBeInstanceOf(PoolscopeError);
  expect(errors[0]).toMatchObject({
    code: "POOLSCOPE_LOAD_SHED",
    message: "Too many requests wait for a connection of orders: try again in 7 s",
    statusCode: 429,
    headers: { "Retry-After": "7" },
  });
  expect((await read(scope, "orders")).shed).toBe(2);
});

test("HEAD and POST are answered as GET is, and the connection stays usable", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  full.queue(1);
  const app = makeApp(scope, full.pool, { maxWaiting: 1, pools: ["orders"], statusCode: 429 });
  const get = await request(app).get("/still").expect(429);
  const head = await request(app).head("/still").expect(429);
  expect(head.text).toBeUndefined();
  for (const header of ["retry-after", "content-type", "content-length", "cache-control"]) {
    expect([header, head.headers[header]]).toEqual([header, get.headers[header]]);
  }
  const origin = await serve(app);
  for (let at = 0; at < 3; at++) {
    const post = await fetch(`${origin}/one`, { method: "POST", body: "x".repeat(1_000_000) });
    expect(post.status).toBe(429);
    await post.json();
  }
});

test("health and metrics mounted before it always answer, and say that load is shed", async () => {
  const scope = makeScope();
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  await full.fill();
  full.queue(2);
  const app = makeApp(scope, full.pool, { maxWaiting: 2, pools: ["orders"] });
  await request(app).get("/metrics").expect(200);
  const before = await request(app).get("/health/database/orders");
  expect(before.body).toMatchObject({ shed: 0, shedding: true });
  await request(app).get("/still").expect(503);
  const { body } = await request(app).get("/health/database/orders").expect(503);
  expect(body).toMatchObject({ shed: 1, shedding: true, requests: 4, checkouts: 2 });
  expect(body.verdict).toMatch(
    /^orders: 2\/2 in use, 2 waiting \(oldest \d\.\d s\), shedding load; exhausted/,
  );
});

test("the log says once that load is shed and once, when it has been calm, how much was", async () => {
  const logger = spyLogger();
  const scope = makeScope({ logger, sampleIntervalMillis: 50 });
  const full = new FullPool();
  scope.watch(full.pool, { name: "orders" });
  const shedLines = () =>
    [...logger.warn.mock.calls, ...logger.info.mock.calls].flat().filter((line) => line.includes("shedding"));
  await full.fill();
  const app = makeApp(scope, full.pool, { maxWaiting: 4, pools: ["orders"] });
  for (let round = 0; round < 3; round++) {
    full.queue(4);
    for (let at = 0; at < 2; at++) await request(app).get("/still").expect(503);
    await full.drainTo(0);
    await request(app).get("/still").expect(200);
  }
  expect(shedLines()).toEqual([
    expect.stringMatching(
      /^orders - shedding load: 4 wait, expected wait not known yet \(maxWaiting=4, maxWaitMillis=1000, max=2\); raise max/,
    ),
  ]);
  await until(() => shedLines().length > 1);
  expect(shedLines()[1]).toMatch(/^orders - no longer shedding load: 6 requests were shed in \d+\.\d s$/);
  expect(await read(scope, "orders")).toMatchObject({ shed: 6, shedding: false });
  await full.empty();
});

test.each([
  [{ maxWaiting: 0 }, "Expected `maxWaiting` to be a whole number from 1 to 2147483647, got `0` (number)"],
  [{ maxWaitMillis: "1s" }, /^Expected `maxWaitMillis` to be a whole number .*, got `"1s"` \(string\)$/],
  [
    { retryAfterSeconds: 0.5 },
    /^Expected `retryAfterSeconds` to be a whole number from 1 to 86400, got `0.5`/,
  ],
  [{ statusCode: 500 }, "Expected `statusCode` to be 503 or 429, got `500` (number)"],
  [{ onShed: "throw" }, 'Expected `onShed` to be "answer" or "next", got `"throw"` (string)'],
  [{ skip: "/health" }, 'Expected `skip` to be a function, got `"/health"` (string)'],
  [{ pools: "orders" }, 'Expected `pools` to be an array of pool names, got `"orders"` (string)'],
  [{ pools: [] }, "Expected `pools` to be an array of pool names, got an array"],
  [{ pools: [1] }, "Expected `pools[0]` to be the name of a watched pool, got `1` (number)"],
  [
    { pools: ["ordres"] },
    'Expected `pools` to be the name of a watched pool: `orders`, got `"ordres"` (string)',
  ],
  [{ max: 3 }, /^Expected `options` to be an object with no other keys than `maxWaiting`, .*, got `"max"`/],
])("shedLoad(%o) is refused", (options, message) => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  expect(() => scope.shedLoad(options as never)).toThrow(message);
  expect(() => scope.shedLoad(options as never)).toThrow(PoolscopeError);
});

test("a scope that is shut down gives no middleware", async () => {
  const scope = makeScope();
  await scope.shutdown();
  expect(() => scope.shedLoad()).toThrow("This scope is shut down");
});
