import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect, onTestFinished, test, vi } from "vitest";
import { otlpSink, type Received } from "../support/otlp-sink.ts";
import { makePool, makeScope, read } from "../support/pools.ts";

const NEVER_BY_ITSELF = 600_000;

function log() {
  return { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

function checkouts(received: Received | undefined) {
  return received?.metrics.find(({ name }) => name === "poolscope.pool.checkouts")?.points[0]?.value;
}

/** A provider as applications have one, with an exporter that keeps what it is given. */
function hostProvider() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: NEVER_BY_ITSELF });
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => meterProvider.shutdown());
  const exportedCheckouts = () =>
    exporter.getMetrics().flatMap(({ scopeMetrics }) =>
      scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .filter(({ descriptor }) => descriptor.name === "poolscope.pool.checkouts")
        .map(({ dataPoints }) => dataPoints[0]?.value),
    );
  return { exporter, reader, meterProvider, exportedCheckouts };
}

test("a flush pushes what was recorded before it, and the scope goes on", async () => {
  const sink = await otlpSink();
  const scope = makeScope({ otlp: { url: sink.url, exportIntervalMillis: NEVER_BY_ITSELF } });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await scope.flush();
  expect(sink.received.map(checkouts)).toEqual([1]);
  await pool.query("SELECT 1");
  await scope.flush(10_000);
  expect(sink.received.map(checkouts)).toEqual([1, 2]);
  expect((await read(scope, "orders")).checkouts).toBe(2);
});

test("a flush gives delta numbers once", async () => {
  const sink = await otlpSink();
  const otlp = { url: sink.url, exportIntervalMillis: NEVER_BY_ITSELF, temporality: "delta" } as const;
  const scope = makeScope({ otlp });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await Promise.all([scope.flush(), scope.flush()]);
  await pool.query("SELECT 1");
  await scope.flush();
  const values = sink.received.map((received) => checkouts(received) ?? 0);
  expect(values.reduce((sum, value) => sum + value, 0)).toBe(2);
});

test("a flush resolves when the endpoint refuses, which is logged once", async () => {
  const sink = await otlpSink();
  sink.status = 400;
  const logger = log();
  const scope = makeScope({ logger, otlp: { url: sink.url, exportIntervalMillis: NEVER_BY_ITSELF } });
  scope.watch(makePool(), { name: "orders" });
  await scope.flush();
  await scope.flush();
  expect(sink.paths).toHaveLength(2);
  expect(logger.warn).toHaveBeenCalledOnce();
  expect(logger.warn.mock.calls[0]?.[0]).toMatch(/^poolscope - OTLP export fails/);
});

test("a flush resolves when its time is over and the endpoint has not answered", async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const logger = log();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`;
  const scope = makeScope({ logger, otlp: { url, exportIntervalMillis: NEVER_BY_ITSELF } });
  scope.watch(makePool(), { name: "orders" });
  const since = performance.now();
  await scope.flush(100);
  await scope.flush(100);
  expect(performance.now() - since).toBeGreaterThan(180);
  expect(performance.now() - since).toBeLessThan(4_000);
  expect(logger.warn.mock.calls).toEqual([
    [
      "poolscope - flush failed: no acknowledgement within 100 ms; cumulative numbers are sent again with the next export",
    ],
  ]);
  await scope.shutdown({ timeoutMillis: 1 });
});

test("a flush without anything to push to resolves", async () => {
  const logger = log();
  const scope = makeScope({ logger, otlp: false });
  scope.watch(makePool(), { name: "orders" });
  await scope.flush();
  expect(logger.warn).not.toHaveBeenCalled();
});

test("a flush exports through the application's provider", async () => {
  const { meterProvider, reader, exportedCheckouts } = hostProvider();
  const scope = makeScope({ meterProvider, reader });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  await scope.flush();
  await pool.query("SELECT 1");
  await scope.flush();
  expect(exportedCheckouts()).toEqual([1, 2]);
  expect((await read(scope, "orders")).checkouts).toBe(2);
});

test("a flush exports through the reader when the provider is a wrapper without forceFlush", async () => {
  const { meterProvider, reader, exportedCheckouts } = hostProvider();
  const wrapper = { getMeter: meterProvider.getMeter.bind(meterProvider) };
  const scope = makeScope({ meterProvider: wrapper, reader });
  scope.watch(makePool(), { name: "orders" });
  await scope.flush();
  expect(exportedCheckouts()).toEqual([0]);
});

test("a flush of the application's provider resolves when that fails, which is logged until it works", async () => {
  const { meterProvider, reader } = hostProvider();
  const logger = log();
  const scope = makeScope({ logger, meterProvider, reader });
  scope.watch(makePool(), { name: "orders" });
  const forceFlush = vi.spyOn(meterProvider, "forceFlush");
  forceFlush.mockRejectedValue(new TypeError("http://user:sw0rdfish@collector"));
  await scope.flush();
  await scope.flush();
  expect(logger.warn.mock.calls).toEqual([
    ["poolscope - flush failed: TypeError; cumulative numbers are sent again with the next export"],
  ]);
  forceFlush.mockImplementation(() => {
    throw new RangeError("thrown at once");
  });
  await scope.flush();
  forceFlush.mockReturnValue(new Promise(() => {}));
  await scope.flush(50);
  forceFlush.mockRestore();
  await scope.flush();
  expect(logger.warn).toHaveBeenCalledOnce();
  expect(logger.info).toHaveBeenLastCalledWith("poolscope - flush works again");
});

test("a flush after the shutdown resolves", async () => {
  const sink = await otlpSink();
  const scope = makeScope({ otlp: { url: sink.url, exportIntervalMillis: NEVER_BY_ITSELF } });
  scope.watch(makePool(), { name: "orders" });
  void scope.shutdown();
  await scope.flush();
  expect(sink.received).toHaveLength(1);
});

test.each([0, -1, 1.5, "1000", {}])("a flush refuses %j as its time", async (timeoutMillis) => {
  await expect(makeScope().flush(timeoutMillis as never)).rejects.toMatchObject({
    code: "POOLSCOPE_INVALID_OPTION",
    message: expect.stringContaining("Expected `timeoutMillis` to be a whole number from 1"),
  });
});
