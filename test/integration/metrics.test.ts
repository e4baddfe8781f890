import { once } from "node:events";
import { createServer, get, type IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { expect, test, vi } from "vitest";
import { METRICS } from "../../src/metrics/semconv.ts";
import { answered, call, Exported, scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";

class TestReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

test("the text has every metric of the table, under the Collector's names, once per series", async () => {
  const scope = makeScope({ serviceName: "shop" });
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders", attributes: { tier: 'go"ld\\\n', shard: 3 } });
  await pool.query("SELECT 1");
  const byRoute = new Promise((resolve) => {
    const request = { route: { path: "/" } } as unknown as IncomingMessage;
    scope.routes()(request, new ServerResponse(request), () => resolve(pool.query("SELECT 1")));
  });
  await byRoute;
  const exported = await scrape(scope);
  const suffix = { s: "_seconds", "1": "_ratio" } as Record<string, string>;
  for (const { name, unit, kind } of Object.values(METRICS)) {
    const base = name.replaceAll(".", "_") + (suffix[unit] ?? "");
    const series = kind === "counter" ? `${base}_total` : kind === "histogram" ? `${base}_bucket` : base;
    expect(exported.value("orders", series), series).toBeDefined();
    expect(exported.text).toContain(`# TYPE ${kind === "counter" ? `${base}_total` : base} `);
  }
  expect(new Set(exported.series).size).toBe(exported.series.length);
  expect(exported.text).toContain('service_name="shop"');
  expect(exported.text).toMatch(/service_instance_id="[0-9a-f-]{36}"/);
  expect(exported.text).toContain('tier="go\\"ld\\\\\\n"');
  expect(exported.text).toContain('db_namespace="postgres"');
  expect(exported.text).not.toContain("otel_scope");
  expect(exported.value("orders", "db_client_connection_wait_time_seconds_bucket", { le: "+Inf" })).toBe(2);
  const buckets = [...exported.text.matchAll(/connection_wait_time_seconds_bucket\{.*\} (\d+)/g)].map(
    ([, count]) => Number(count),
  );
  expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
});

test("the handler answers GET and HEAD with the text format's type, and nothing else", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const get = await call(scope.metrics());
  expect(get).toMatchObject({
    status: 200,
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
  });
  expect(await call(scope.metrics(), "HEAD")).toMatchObject({ status: 200, body: "" });
  expect(await call(scope.metrics(), "DELETE")).toMatchObject({
    status: 405,
    headers: { allow: "GET, HEAD" },
  });
});

test("what is larger than a piece is of one moment too, whatever happens while it is sent", async () => {
  const scope = makeScope();
  const pools = Array.from({ length: 30 }, () => makePool());
  for (const [index, pool] of pools.entries()) scope.watch(pool, { name: `pool-${index}` });
  const { response, headers } = answered(scope.metrics());
  let text = "";
  let pieces = 0;
  for await (const piece of response) {
    text += piece;
    if (pieces++ === 0) await Promise.all(pools.map((pool) => pool.query("SELECT 1")));
  }
  expect(pieces).toBeGreaterThan(5);
  expect(headers).not.toHaveProperty("content-length");
  const [then, now] = [new Exported(text), await scrape(scope)];
  expect(now.series.filter((series) => !series.includes("db_operation_name"))).toEqual(then.series);
  for (const [index] of pools.entries()) {
    for (const name of ["poolscope_pool_checkouts_total", "db_client_connection_use_time_seconds_count"]) {
      expect([then.value(`pool-${index}`, name), now.value(`pool-${index}`, name)]).toEqual([0, 1]);
    }
  }
});

test("a scraper that goes away in the middle is nobody's error, and the next one gets everything", async () => {
  const scope = makeScope();
  for (let index = 0; index < 30; index++) scope.watch(makePool(), { name: `pool-${index}` });
  const server = createServer(scope.metrics());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [begun] = (await once(get(url), "response")) as [IncomingMessage];
  const closed = once(begun, "close");
  begun.once("data", () => begun.destroy());
  await expect(closed).resolves.toBeDefined();
  const text = await (await fetch(url)).text();
  const limits = new Exported(text).all.filter(({ name }) => name === "db_client_connection_limit");
  expect(limits).toHaveLength(30);
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  server.close();
  server.closeAllConnections();
});

test("with nothing watched the text is valid and empty of pools", async () => {
  const exported = await scrape(makeScope());
  expect(exported.text).toContain("target_info{");
  expect(exported.text).not.toContain("db_client");
});

test("what a pool has counted is told for five minutes after its end, however often somebody looks", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  try {
    const scope = makeScope();
    const pool = makePool({ max: 3 });
    const watch = scope.watch(pool, { name: "orders" });
    const client = await pool.connect();
    watch.unwatch();
    client.release();
    const expectLastNumbers = async () => {
      const exported = await scrape(scope);
      const value = (name: string) => exported.value("orders", name);
      expect(value("db_client_connection_count")).toBe(0);
      expect(value("db_client_connection_limit")).toBe(0);
      expect(value("poolscope_pool_checkouts_total")).toBe(1);
      expect(value("poolscope_pool_closes_total")).toBe(0);
      expect(value("db_client_connection_wait_time_seconds_count")).toBe(1);
      expect(await scope.readings()).toEqual([]);
    };
    await expectLastNumbers();
    vi.advanceTimersByTime(5 * 60_000);
    await expectLastNumbers();
    vi.advanceTimersByTime(1);
    const { text } = await scrape(scope);
    expect(text).not.toContain("orders");
  } finally {
    vi.useRealTimers();
  }
});

test("three hundred pools are exported whole: the SDK's limit of 2,000 series for a metric is not ours", async () => {
  const scope = makeScope();
  const names = Array.from({ length: 300 }, (_, index) => `pool-${index}`);
  for (const name of names) scope.watch(makePool(), { name });
  const exported = await scrape(scope);
  const closes = exported.all.filter(({ name }) => name === "poolscope_pool_closes_total");
  expect(closes).toHaveLength(names.length * 12);
  expect(exported.text).not.toContain("otel_metric_overflow");
});

test("a name taken over by a new pool tells the new pool's numbers, once", async () => {
  const scope = makeScope();
  const old = makePool({ max: 3 });
  scope.watch(old, { name: "orders" });
  await old.query("SELECT 1");
  await old.end();
  scope.watch(makePool({ max: 7 }), { name: "orders" });
  const exported = await scrape(scope);
  expect(exported.value("orders", "db_client_connection_limit")).toBe(7);
  expect(exported.value("orders", "db_client_connection_wait_time_seconds_count")).toBe(0);
  expect(new Set(exported.series).size).toBe(exported.series.length);
});

test("a collection that fails is a failed reading and a 503, never an old number; the next one works", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  await scope.readings();
  Object.defineProperty(pool, "totalCount", {
    configurable: true,
    get() {
      throw new Error("gone");
    },
  });
  await expect(scope.readings()).rejects.toMatchObject({
    name: "PoolscopeError",
    code: "POOLSCOPE_READING_FAILED",
    message: "The meter could not be read: gone",
  });
  expect(await call(scope.metrics())).toMatchObject({ status: 503 });
  Reflect.deleteProperty(pool, "totalCount");
  expect(await scope.readings()).toMatchObject([{ pool: "orders", total: 0 }]);
});

test("readings asked for at the same time share one look at the pools; a scrape takes one of its own", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  let looks = 0;
  Object.defineProperty(pool, "totalCount", { configurable: true, get: () => ++looks && 0 });
  await scope.readings();
  const looksOfOneReading = looks;
  await Promise.all([scope.readings(), scope.readings(), scope.readings()]);
  expect(looks).toBe(2 * looksOfOneReading);
  await Promise.all([scope.readings(), scope.readings(), call(scope.metrics())]);
  expect(looks).toBe(4 * looksOfOneReading);
});

test("as a guest of the application's provider: same numbers, ordinary histograms, nothing shut down", async () => {
  const reader = new TestReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  meterProvider.getMeter("the application").createCounter("its.own").add(1);
  const scope = makeScope({ meterProvider, reader });
  const pool = makePool({ max: 4 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await pool.query("SELECT 1");
  expect(await scope.readings()).toMatchObject([
    {
      pool: "orders",
      used: 1,
      idle: 1,
      checkouts: 2,
      wait: { count: 2 },
      use: { count: 1 },
      create: { count: 2 },
    },
  ]);
  const exported = await scrape(scope);
  expect(exported.value("orders", "db_client_connection_wait_time_seconds_bucket", { le: "+Inf" })).toBe(2);
  expect(exported.text).not.toContain("its_own");
  client.release();
  await scope.shutdown();
  const { resourceMetrics } = await reader.collect();
  expect(resourceMetrics.scopeMetrics.map(({ scope }) => scope.name)).toContain("the application");
});

test("as a guest: a broken callback of the application does not spoil the readings; a reader that hangs fails them", async () => {
  const reader = new TestReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  meterProvider
    .getMeter("the application")
    .createObservableGauge("broken")
    .addCallback(() => {
      throw new Error("the application's own fault");
    });
  const scope = makeScope({ meterProvider, reader });
  scope.watch(makePool({ max: 4 }), { name: "orders" });
  expect(await scope.readings()).toMatchObject([{ pool: "orders", limit: 4 }]);

  const hanging = { collect: () => new Promise<never>(() => {}) };
  const stuck = makeScope({ meterProvider, reader: hanging, collectTimeoutMillis: 30 });
  await expect(stuck.readings()).rejects.toThrow("The meter could not be read: no answer within 30 ms");
  await expect(stuck.readings()).rejects.toThrow("no answer within 30 ms");
});

test("as a guest with a reader that never sees the provider, the reading fails instead of being empty", async () => {
  const scope = makeScope({ meterProvider: new MeterProvider(), reader: new TestReader() });
  scope.watch(makePool(), { name: "orders" });
  await expect(scope.readings()).rejects.toThrow("MetricReader is not bound to a MetricProducer");
  const other = new TestReader();
  new MeterProvider({ readers: [other] });
  const mismatched = makeScope({ meterProvider: new MeterProvider(), reader: other });
  mismatched.watch(makePool(), { name: "orders" });
  await expect(mismatched.readings()).rejects.toMatchObject({ code: "POOLSCOPE_READING_FAILED" });
});
