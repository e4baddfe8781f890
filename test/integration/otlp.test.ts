import { afterEach, expect, test, vi } from "vitest";
import { poolscope } from "../../src/index.ts";
import { otlpSink, type Received } from "../support/otlp-sink.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function point(received: Received | undefined, name: string, labels: Record<string, unknown> = {}) {
  const metric = received?.metrics.find((candidate) => candidate.name === name);
  const found = metric?.points.find(({ attributes }) =>
    Object.entries(labels).every(([key, value]) => attributes[key] === value),
  );
  return found && { ...found, temporality: metric?.temporality };
}

test("pushes what the environment asks for, to where it says, and a last time at shutdown", async () => {
  const sink = await otlpSink();
  vi.stubEnv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", sink.url);
  vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue");
  vi.stubEnv("OTEL_SERVICE_NAME", "shop");
  vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.instance.id=one");
  vi.stubEnv("OTEL_METRIC_EXPORT_INTERVAL", "600000");
  const scope = makeScope();
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  const client = await pool.connect();
  await scope.shutdown();
  client.release();

  expect(sink.received).toHaveLength(1);
  const [received] = sink.received;
  expect(received?.headers).toMatchObject({ "content-type": "application/x-protobuf", "x-tenant": "blue" });
  expect(received?.resource).toMatchObject({
    "service.name": "shop",
    "service.instance.id": "one",
    "deployment.environment.name": "test",
    "telemetry.sdk.language": "nodejs",
  });
  const orders = { "db.client.connection.pool.name": "orders" };
  expect(
    point(received, "db.client.connection.count", { ...orders, "db.client.connection.state": "used" }),
  ).toMatchObject({
    value: 1,
    attributes: { "db.system.name": "postgresql", "db.namespace": "postgres", "server.address": "127.0.0.1" },
  });
  expect(point(received, "db.client.connection.wait_time", orders)).toMatchObject({
    count: 1,
    temporality: "cumulative",
    min: expect.any(Number),
  });
  expect(point(received, "db.client.connection.use_time", orders)).toMatchObject({ count: 0 });
  expect(point(received, "poolscope.pool.checkouts", orders)).toMatchObject({
    value: 1,
    temporality: "cumulative",
  });
});

test("options win over the environment; the service name of the options too", async () => {
  const [asked, other] = [await otlpSink(), await otlpSink()];
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", other.url);
  vi.stubEnv("OTEL_SERVICE_NAME", "other");
  const scope = makeScope({ serviceName: "shop", otlp: { url: asked.url, headers: { "x-key": "1" } } });
  scope.watch(makePool(), { name: "orders" });
  await scope.shutdown();
  expect(other.received).toHaveLength(0);
  expect(asked.received[0]?.resource).toMatchObject({ "service.name": "shop" });
  expect(asked.received[0]?.headers["x-key"]).toBe("1");
});

test.each([
  [{}, 0],
  [{ OTEL_METRICS_EXPORTER: "otlp" }, 1],
  [{ OTEL_METRICS_EXPORTER: "prometheus,otlp" }, 1],
  [{ OTEL_METRICS_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "sink" }, 0],
  [{ OTEL_METRICS_EXPORTER: "prometheus", OTEL_EXPORTER_OTLP_ENDPOINT: "sink" }, 0],
  [{ OTEL_METRICS_EXPORTER: "", OTEL_EXPORTER_OTLP_ENDPOINT: "sink" }, 1],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "sink" }, 1],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "sink", OTEL_SDK_DISABLED: "true" }, 0],
])("environment %o: %i pushes", async (environment, pushes) => {
  const sink = await otlpSink();
  const base = sink.url.replace("/v1/metrics", "");
  for (const [key, value] of Object.entries(environment)) vi.stubEnv(key, value === "sink" ? base : value);
  if (!("OTEL_EXPORTER_OTLP_ENDPOINT" in environment) && pushes > 0)
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", base);
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  await scope.shutdown();
  expect(sink.received).toHaveLength(pushes);
});

test("otlp: false never pushes", async () => {
  const sink = await otlpSink();
  vi.stubEnv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", sink.url);
  const scope = makeScope({ otlp: false });
  scope.watch(makePool(), { name: "orders" });
  await scope.shutdown();
  expect(sink.received).toHaveLength(0);
});

test("delta: every export tells only what is new; all exports together tell everything", async () => {
  const sink = await otlpSink();
  const scope = makeScope({ otlp: { url: sink.url, temporality: "delta", exportIntervalMillis: 40 } });
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  let queries = 0;
  for (let round = 0; round < 5; round++) {
    const before = sink.received.length;
    for (; queries < round * 3; queries++) await pool.query("SELECT 1");
    await until(() => sink.received.length >= before + 2);
    await scope.readings(); // A cumulative reader beside it takes nothing away.
  }
  await scope.shutdown();
  const points = sink.received.map((received) => point(received, "db.client.connection.wait_time"));
  expect(points.every((each) => each.temporality === "delta")).toBe(true);
  expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(queries);
  expect(points.filter(({ count }) => count > 0).length).toBeGreaterThan(1);
  for (const { count, bucketCounts } of points) {
    expect(bucketCounts.reduce((sum: number, each: number) => sum + each, 0)).toBe(count);
  }
  for (let index = 1; index < points.length; index++) {
    expect(points[index].startTimeUnixNano).toBe(points[index - 1].timeUnixNano);
  }
  const checkouts = sink.received.map((received) => point(received, "poolscope.pool.checkouts")?.value ?? 0);
  expect(checkouts.reduce((sum, value) => sum + value, 0)).toBe(queries);
  // State is state, whatever the temporality.
  expect(point(sink.received.at(-1), "db.client.connection.limit")).toMatchObject({
    value: 3,
    temporality: "cumulative",
  });
});

test("what a pool counted between its last export and its end is exported after all", async () => {
  const sink = await otlpSink();
  const scope = makeScope({ otlp: { url: sink.url, exportIntervalMillis: 600_000 } });
  const pool = makePool({ max: 3 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await pool.end();
  await scope.readings();
  await scope.shutdown();
  expect(point(sink.received[0], "db.client.connection.wait_time")).toMatchObject({ count: 1 });
  expect(point(sink.received[0], "poolscope.pool.checkouts")).toMatchObject({ value: 1 });
  expect(point(sink.received[0], "db.client.connection.limit")).toMatchObject({ value: 0 });
});

test("an endpoint that fails is said once, taken back once, costs nothing and loses nothing", async () => {
  const sink = await otlpSink();
  sink.status = 400;
  const logger = { ...silent, warn: vi.fn(), info: vi.fn() };
  const secret = sink.url.replace("http://", "http://user:hunter2@");
  const scope = makeScope({ logger, otlp: { url: secret, exportIntervalMillis: 30 } });
  const pool = makePool({ max: 3, connectionTimeoutMillis: 30_000 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await until(() => logger.warn.mock.calls.length > 0);
  await pool.query("SELECT 1");
  sink.status = 200;
  await until(() => logger.info.mock.calls.length > 0);
  await until(() => point(sink.received.at(-1), "poolscope.pool.checkouts")?.value === 2);
  expect(logger.warn).toHaveBeenCalledOnce();
  expect(logger.warn.mock.calls[0]?.[0]).toMatch(/^poolscope - OTLP export fails \(.+\); .*otlp\.url/);
  expect(JSON.stringify(logger.warn.mock.calls)).not.toContain("hunter2");
  expect(logger.info).toHaveBeenCalledWith("poolscope - OTLP export works again");
});

test("an endpoint nobody listens at does not hold up the shutdown beyond its limit", async () => {
  const logger = { ...silent, warn: vi.fn() };
  const scope = poolscope({ otlp: { url: "http://127.0.0.1:1/v1/metrics" }, logger });
  scope.watch(makePool(), { name: "orders" });
  const began = performance.now();
  await scope.shutdown({ timeoutMillis: 100 });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(logger.warn).toHaveBeenCalled();
});

test("environment variables that make no sense are named in a warning and ignored", () => {
  vi.stubEnv("OTEL_METRICS_EXPORTER", "otlp,console");
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
  vi.stubEnv("OTEL_METRIC_EXPORT_INTERVAL", "soon");
  vi.stubEnv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes");
  const logger = { ...silent, warn: vi.fn() };
  makeScope({ logger, otlp: { url: "http://127.0.0.1:1/" } });
  makeScope({ logger });
  const said = logger.warn.mock.calls.flat().join("\n");
  expect(said).toContain("OTEL_METRICS_EXPORTER: console is not supported");
  expect(said).toContain("OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported");
  expect(said).toContain('OTEL_METRIC_EXPORT_INTERVAL: expected whole milliseconds of 1 or more, got "soon"');
  expect(said).toContain('expected cumulative, delta or lowmemory, got "sometimes"');
});
