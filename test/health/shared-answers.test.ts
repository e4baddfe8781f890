import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import express from "express";
import { expect, onTestFinished, test, vi } from "vitest";
import type { DatabaseHealth, HealthOptions, Poolscope } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

interface Served {
  readonly port: number;
  /** Of every request that reached the application. */
  readonly responses: ServerResponse[];
}

async function serve(
  scope: Poolscope,
  { cacheMillis, components }: HealthOptions & { cacheMillis?: number } = {},
): Promise<Served> {
  const responses: ServerResponse[] = [];
  const app = express();
  app.use((_request, response, next) => {
    responses.push(response);
    next();
  });
  app.use("/health", scope.health({ cacheMillis, components }));
  app.use("/metrics", scope.metrics({ cacheMillis }));
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, responses };
}

function watchMany(scope: Poolscope, count: number) {
  const pools = Array.from({ length: count }, () => makePool());
  for (const [index, pool] of pools.entries()) scope.watch(pool, { name: `pool-${index}` });
  return pools;
}

/** A client that reads only when it is asked to. */
async function openUnread(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").pause();
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

function pipelined(path: string, times: number): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(times);
}

/** Reads until so many answers have come, all with a `Content-Length`, and gives the bodies. */
async function readAnswers(socket: Socket, count: number): Promise<string[]> {
  let text = "";
  const bodies: string[] = [];
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString("latin1");
    let at = 0;
    for (;;) {
      const head = text.indexOf("\r\n\r\n", at);
      if (head < 0) break;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(at, head))?.[1]);
      expect(length).toBeGreaterThan(0);
      if (text.length < head + 4 + length) break;
      bodies.push(text.slice(head + 4, head + 4 + length));
      at = head + 4 + length;
    }
    text = text.slice(at);
    if (bodies.length >= count) break;
  }
  return bodies;
}

/** How often something with the numbers of a pool was made to JSON. */
function countTexts(): () => number {
  const stringify = vi.spyOn(JSON, "stringify");
  onTestFinished(() => stringify.mockRestore());
  return () =>
    stringify.mock.calls.filter(([value]) => typeof value === "object" && value && "in_use" in value).length;
}

test("health pages of one reading are written once, whatever path and however many ask", async () => {
  const scope = makeScope();
  watchMany(scope, 3);
  const { port } = await serve(scope, { cacheMillis: 60_000, components: { cache: () => true } });
  const get = async <T>(path: string) =>
    (await (await fetch(`http://127.0.0.1:${port}/health${path}`)).json()) as T;
  const texts = countTexts();
  const whole = () => get<{ components: { database: DatabaseHealth } }>("/");
  const first = await whole();
  for (const other of await Promise.all(Array.from({ length: 50 }, whole))) expect(other).toEqual(first);
  // Each of three pools, and their sum.
  expect(texts()).toBe(4);
  expect(await get("/database")).toEqual(first.components.database);
  expect(await get("/database/pool-1")).toEqual(first.components.database.pools[1]);
  expect(texts()).toBe(4);
  // Another limit is put together of the same parts: the sum alone is written anew.
  expect((await get<DatabaseHealth>("/database?limit=7")).pools).toEqual(first.components.database.pools);
  expect(texts()).toBe(5);
});

test("a page is written anew when a component of the application has changed", async () => {
  const scope = makeScope();
  watchMany(scope, 1);
  let isHealthy = true;
  const cache = { check: () => isHealthy, cacheMillis: 0 };
  const { port } = await serve(scope, { cacheMillis: 60_000, components: { cache } });
  const get = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    const { status, components } = (await response.json()) as {
      status: string;
      components: Record<string, { status: string }>;
    };
    return [response.status, status, components["cache"]?.status, components["database"]?.status];
  };
  expect(await get()).toEqual([200, "healthy", "healthy", "healthy"]);
  isHealthy = false;
  expect(await get()).toEqual([503, "critical", "critical", "healthy"]);
});

test("scrapes within cacheMillis share one look at the pools", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  let looks = 0;
  const { totalCount } = pool;
  Object.defineProperty(pool, "totalCount", { configurable: true, get: () => ++looks && totalCount });
  const { port } = await serve(scope, { cacheMillis: 60_000 });
  const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const text = await scrape();
  const looksOfOne = looks;
  for (const other of await Promise.all(Array.from({ length: 20 }, scrape))) expect(other).toBe(text);
  expect(looks).toBe(looksOfOne);
});

test("a scrape later than cacheMillis has new numbers", async () => {
  const scope = makeScope();
  const pool = makePool();
  scope.watch(pool, { name: "orders" });
  const { port } = await serve(scope, { cacheMillis: 100 });
  const checkouts = async () =>
    /poolscope_pool_checkouts_total\{.*\} (\d)/.exec(
      await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    )?.[1];
  expect(await checkouts()).toBe("0");
  await pool.query("SELECT 1");
  await until(async () => (await checkouts()) === "1");
});

test("a client that does not read has one answer made, and new ones when it reads", async () => {
  const scope = makeScope();
  const [pool] = watchMany(scope, 60);
  const { port, responses } = await serve(scope, { cacheMillis: 50 });
  const length = (await (await fetch(`http://127.0.0.1:${port}/health/database`)).arrayBuffer()).byteLength;
  responses.length = 0;
  const socket = await openUnread(port);
  const requests = 150;
  socket.write(pipelined("/health/database", requests));
  const begun = () => responses.filter(({ headersSent }) => headersSent).length;
  // As many as fit into the buffers of the two systems.
  await until(() => responses.at(begun() - 1)?.writableLength, 30_000);
  await until(() => responses.length === requests || socket.writableLength > 0);
  const begunAtFirst = begun();
  expect(begunAtFirst).toBeLessThan(requests / 2);
  expect(responses.reduce((sum, response) => sum + response.writableLength, 0)).toBeLessThan(2 * length);

  await pool?.query("SELECT 1");
  const bodies = await readAnswers(socket, requests);
  expect(bodies).toHaveLength(requests);
  const checkouts = bodies.map((body) => (JSON.parse(body) as DatabaseHealth).pools[0]?.checkouts);
  expect(checkouts.slice(0, begunAtFirst)).toEqual(Array(begunAtFirst).fill(0));
  expect(checkouts.at(-1)).toBe(1);
});

test("a large text is handed over as it is read, and kept once for all who read it", async () => {
  const scope = makeScope();
  watchMany(scope, 60);
  const { port, responses } = await serve(scope, { cacheMillis: 60_000 });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  responses.length = 0;
  const sockets = await Promise.all(Array.from({ length: 3 }, () => openUnread(port)));
  for (const socket of sockets) socket.write(pipelined("/metrics", 10));
  await until(() => responses.filter(({ writableNeedDrain }) => writableNeedDrain).length === 3);
  for (const { writableLength } of responses) expect(writableLength).toBeLessThan(1.2 * 2 ** 20);
  for (const socket of sockets) {
    const bodies = await readAnswers(socket, 10);
    expect(bodies).toHaveLength(10);
    expect(bodies.every((body) => body === text)).toBe(true);
  }
});

test("requests of a client that does not read are left on the connection from a number on", async () => {
  const scope = makeScope();
  watchMany(scope, 60);
  const { port, responses } = await serve(scope, { cacheMillis: 60_000 });
  await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const socket = await openUnread(port);
  const [scrapes, probes] = [10, 8_000];
  socket.write(pipelined("/metrics", scrapes) + pipelined("/health/live", probes));
  await until(() => responses.some(({ writableLength }) => writableLength > 0));
  // What is asked on another connection comes after what was there to be read on this one.
  const other = await openUnread(port);
  for (let at = 0; at < 20; at++) {
    other.write(pipelined("/health/live", 1));
    const answered = responses.length;
    await until(() => responses.length > answered);
  }
  expect(responses.length).toBeLessThan(probes / 2);
  expect(await readAnswers(socket, scrapes + probes)).toHaveLength(scrapes + probes);
}, 60_000);

test("a request on another connection is answered between those that one client pipelines", async () => {
  const scope = makeScope();
  watchMany(scope, 2);
  const { port, responses } = await serve(scope);
  const [many, one] = [await openUnread(port), await openUnread(port)];
  many.write(pipelined("/health/live", 300));
  await until(() => responses.length > 0);
  one.write(pipelined("/health/live", 1));
  let answered = 0;
  const all = readAnswers(many, 300).then(() => ++answered);
  const other = readAnswers(one, 1).then(() => ++answered);
  expect(await other).toBe(1);
  await all;
});

test("health pages and metrics are not to be guessed at, refusals included", async () => {
  const scope = makeScope();
  watchMany(scope, 1);
  const { port } = await serve(scope);
  for (const path of ["/health", "/health/live", "/health/nothing", "/health?limit=0", "/metrics"]) {
    for (const method of ["GET", "HEAD", "POST"]) {
      const { headers } = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      expect([path, method, headers.get("x-content-type-options")]).toEqual([path, method, "nosniff"]);
    }
  }
});
