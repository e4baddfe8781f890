import express from "express";
import request from "supertest";
import { expect, test, vi } from "vitest";
import type { PoolscopeOptions, RoutesOptions, ShedLoadOptions } from "../../src/index.ts";
import { Sampler } from "../../src/readings/sampler.ts";
import { expectNoMishaps } from "../support/mishaps.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

expectNoMishaps();

const rejects = (): Promise<never> => Promise.reject(new Error("the application's own"));
/** Functions of the application that return nothing, or a value, by their types. */
const never = rejects as unknown as () => never;

function spyLogger() {
  return { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

test("a listener that rejects is logged and ends no process", async () => {
  const logger = spyLogger();
  const scope = makeScope({ logger, slowQueryMillis: 1 });
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const seen = vi.fn();
  scope.on("slowQuery", rejects);
  scope.on("slowQuery", seen);
  await pool.query("SELECT pg_sleep(0.01)");
  await until(() => logger.error.mock.calls.length > 0);
  expect(logger.error.mock.calls).toEqual([
    ['poolscope - a listener of "slowQuery" threw: the application\'s own'],
  ]);
  expect(seen).toHaveBeenCalledOnce();
});

test.each([
  ["rejects", rejects],
  [
    "throws",
    () => {
      throw new Error("the application's own");
    },
  ],
])("a logger that %s ends no process", async (_name, log) => {
  const logger = { debug: log, info: log, warn: log, error: log };
  const scope = makeScope({ logger });
  // An option that is advised against, so that there is something to log.
  scope.watch(makePool({ max: 1, min: 5 }), { name: "orders" });
  scope.on("slowQuery", never);
  await scope.readings();
});

test("a `queryName` that rejects names nothing and ends no process", async () => {
  const logger = spyLogger();
  const scope = makeScope({ logger, queryName: never } satisfies PoolscopeOptions);
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  await pool.query("SELECT 1");
  expect(logger.warn.mock.calls).toEqual([
    ["poolscope - the option queryName returned a object, not a name"],
  ]);
});

test("rules of the middleware that reject end no process", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  const app = express();
  app.use(scope.routes({ route: never, serverTiming: never } satisfies RoutesOptions));
  app.use(scope.shedLoad({ skip: never, maxWaiting: 1 } satisfies ShedLoadOptions));
  app.get("/orders", async (_request, response) => {
    response.send((await pool.query("SELECT 1 AS one")).rows);
  });
  const { headers } = await request(app).get("/orders").expect(200);
  expect(headers).not.toHaveProperty("server-timing");
  const client = await pool.connect();
  const waiting = pool.connect();
  await request(app).get("/orders").expect(503);
  client.release();
  (await waiting).release();
});

test("a sampler goes on after a round that fails with something that cannot be shown", async () => {
  const logger = spyLogger();
  let rounds = 0;
  const sampler = new Sampler(
    1,
    () => {
      rounds++;
      return rounds % 2 === 0 ? Promise.reject(Object.create(null)) : rejects();
    },
    logger,
  );
  await until(() => rounds > 4);
  await sampler.stop();
  expect(logger.error.mock.calls[0]).toEqual([
    "poolscope - a sample was lost: the application's own; the next one is due in 1 ms",
  ]);
});

test("an exporter that throws is a failed export, logged once", async () => {
  vi.doMock("@opentelemetry/exporter-metrics-otlp-proto", () => ({
    OTLPMetricExporter: class {
      export(): void {
        throw new TypeError("cannot be encoded");
      }
      async forceFlush(): Promise<void> {}
      async shutdown(): Promise<void> {}
    },
  }));
  const logger = spyLogger();
  const scope = makeScope({ logger, otlp: { url: "http://127.0.0.1:1/v1/metrics" } });
  scope.watch(makePool(), { name: "orders" });
  await scope.shutdown();
  vi.doUnmock("@opentelemetry/exporter-metrics-otlp-proto");
  expect(logger.warn.mock.calls.flat()).toContainEqual(
    expect.stringContaining("OTLP export fails (TypeError)"),
  );
});
