import { Agent, get } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import express from "express";
import { expect, onTestFinished, test } from "vitest";
import { collectGarbage } from "../support/garbage.ts";
import { makePool, makeScope } from "../support/pools.ts";

const REQUESTS = 10_000;
const CACHE_MILLIS = 200;

test("10,000 requests: one collect per cache window, the event loop free, the memory flat", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  let collects = 0;
  // One collect looks at the pool so many times.
  const { totalCount } = pool;
  Object.defineProperty(pool, "totalCount", { configurable: true, get: () => ++collects && totalCount });
  await scope.readings();
  const looksPerCollect = collects;
  collects = 0;

  const app = express();
  app.use("/health", scope.health({ cacheMillis: CACHE_MILLIS }));
  const server = app.listen(0);
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  onTestFinished(() => {
    agent.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const probe = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const request = get({ port, path, agent }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      });
      request.on("error", reject);
    });
  const storm = async (requests: number) => {
    const codes = new Set<number>();
    let sent = 0;
    const caller = async () => {
      while (sent < requests) {
        sent++;
        codes.add(await probe(["/health", "/health/database", "/health/ready"][sent % 3] as string));
      }
    };
    await Promise.all(Array.from({ length: 50 }, caller));
    return codes;
  };

  await storm(1_000); // until the code is compiled
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  collects = 0;
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const startedAt = performance.now();
  const codes = await storm(REQUESTS);
  const elapsed = performance.now() - startedAt;
  loop.disable();
  collectGarbage();
  const grown = process.memoryUsage().heapUsed - before;

  expect([...codes]).toEqual([200]);
  const windows = Math.ceil(elapsed / CACHE_MILLIS) + 1;
  expect(collects / looksPerCollect).toBeLessThanOrEqual(windows);
  expect(collects).toBeGreaterThan(0);
  // A collect, or an answer, that blocks would show in every window; a busy machine shows now and then.
  expect(loop.percentile(90) / 1e6).toBeLessThan(100);
  expect(grown).toBeLessThan(4 * 2 ** 20);
}, 60_000);
