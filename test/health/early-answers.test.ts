import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler } from "express";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import type { Poolscope } from "../../src/index.ts";
import { expectNoMishaps, mishaps } from "../support/mishaps.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

expectNoMishaps();

type Handler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Everything of poolscope that answers a request. */
const HANDLERS: Record<string, { handler: (scope: Poolscope) => Handler; path?: string; method?: string }> = {
  "GET /": { handler: health },
  "HEAD /": { handler: health, method: "HEAD" },
  "GET /database": { handler: health, path: "/database" },
  "GET /database/:pool": { handler: health, path: "/database/orders" },
  "GET a pool that is not watched": { handler: health, path: "/database/none" },
  "GET /ready": { handler: health, path: "/ready?verbose" },
  "GET /started": { handler: health, path: "/started" },
  "GET /live": { handler: health, path: "/live" },
  "GET with a limit that is none": { handler: health, path: "/database?limit=no" },
  "GET a page that is not there": { handler: health, path: "/nothing" },
  "POST a page": { handler: health, method: "POST" },
  "OPTIONS of a page": { handler: health, method: "OPTIONS", path: "/live" },
  "GET a path that cannot be decoded": { handler: health, path: "/database/%E0%A4%A" },
  "GET the metrics": { handler: (scope) => scope.metrics() },
  "HEAD the metrics": { handler: (scope) => scope.metrics(), method: "HEAD" },
  "POST the metrics": { handler: (scope) => scope.metrics(), method: "POST" },
  "shed a request": { handler: (scope) => scope.shedLoad({ maxWaiting: 1, pools: ["orders"] }) },
  "pass a shed request on": {
    handler: (scope) => scope.shedLoad({ maxWaiting: 1, pools: ["orders"], onShed: "next" }),
  },
  "follow a route": { handler: (scope) => scope.routes({ serverTiming: true }) },
};

function health(scope: Poolscope): Handler {
  return scope.health({ cacheMillis: 0, components: { cache: () => true } });
}

const refuse = (): never => {
  throw new Error("the application's own response failed");
};
const answer = (response: ServerResponse) => {
  response.statusCode = 599;
  response.end("application");
};

/** What happens to a response while a handler is at it. */
const MISHAPS: Record<string, Handler> = {
  "was answered before": (_request, response, next) => {
    answer(response);
    next();
  },
  "is answered meanwhile": (_request, response, next) => {
    next();
    if (!response.headersSent) answer(response);
  },
  "is being written by the application": (_request, response, next) => {
    response.writeHead(599);
    response.write("appli");
    next();
    setImmediate(() => response.end("cation"));
  },
  "was destroyed before": (_request, response, next) => {
    response.destroy();
    next();
  },
  "is destroyed meanwhile": (_request, response, next) => {
    next();
    response.destroy();
  },
  "is closed by its client": (request, response, next) => {
    response.on("close", next);
    request.socket.destroy();
  },
  "is closed by its client half-way": (request, response, next) => {
    const write = response.write.bind(response) as (chunk: unknown) => boolean;
    response.write = (chunk: unknown) => {
      request.socket.destroy();
      return write(chunk);
    };
    next();
  },
  "is ended by the application half-way": (_request, response, next) => {
    const write = response.write.bind(response) as (chunk: unknown) => boolean;
    response.write = (chunk: unknown) => {
      setImmediate(() => response.end());
      return write(chunk);
    };
    next();
  },
  ...Object.fromEntries(
    (["setHeader", "writeHead", "write", "end"] as const).map((method): [string, Handler] => [
      `throws in ${method}()`,
      (_request, response, next) => {
        response[method] = refuse;
        next();
      },
    ]),
  ),
};

const ANSWERED_BY_THE_APPLICATION = new Set(["was answered before", "is being written by the application"]);
const CLOSED = new Set(["is closed by its client", "throws in setHeader()"]);

/** The end of an application whose handlers have all passed a request on. */
function closeUnanswered(request: IncomingMessage, response: ServerResponse): void {
  if (!response.headersSent) request.socket.destroy();
}

function onExpress(before: Handler, handler: Handler): RequestListener {
  const app = express();
  // Express would set headers of its own, by the response that refuses them.
  app.disable("x-powered-by");
  app.use(before as express.RequestHandler, handler as express.RequestHandler);
  app.use(closeUnanswered);
  const failed: ErrorRequestHandler = (_error, request, response, _next) =>
    closeUnanswered(request, response);
  app.use(failed);
  return app;
}

function onNode(before: Handler, handler: Handler): RequestListener {
  return (request, response) => {
    before(request, response, () => {
      // Alone, as the documentation has it: without a `next`.
      (handler as RequestListener)(request, response);
      setTimeout(closeUnanswered, 100, request, response).unref();
    });
  };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function fetched(url: string, method = "GET"): Promise<string> {
  try {
    const response = await fetch(url, { method, signal: AbortSignal.timeout(5_000) });
    return `${response.status} ${method === "HEAD" ? "" : await response.text()}`;
  } catch (error) {
    const { name, cause } = error as Error;
    if (name === "TimeoutError") throw error;
    return `closed: ${(cause as Error | undefined)?.message}`;
  }
}

/** With so many pools that the metrics are sent in pieces of 64 KiB, and one that has a caller waiting. */
async function busyScope(): Promise<Poolscope> {
  const scope = makeScope();
  for (let at = 0; at < 9; at++) scope.watch(makePool(), { name: `idle-${at}` });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "orders" });
  await pool.connect();
  pool.connect(() => {});
  return scope;
}

describe.each([
  ["Express", onExpress],
  ["node:http", onNode],
])("on %s", (_name, on) => {
  test.each(Object.entries(MISHAPS))("a response that %s ends no process", async (mishap, before) => {
    const scope = await busyScope();
    for (const [name, { handler, path = "/", method }] of Object.entries(HANDLERS)) {
      const url = await serve(on(before, handler(scope)));
      const seen = await fetched(`${url}${path}`, method);
      expect(await mishaps(), name).toEqual([]);
      if (ANSWERED_BY_THE_APPLICATION.has(mishap)) {
        expect(seen, name).toBe(method === "HEAD" ? "599 " : "599 application");
      }
      if (CLOSED.has(mishap)) expect(seen, name).toMatch(/^closed/);
    }
  });

  test("every handler answers when nothing happens to the response", async () => {
    const scope = await busyScope();
    for (const [name, { handler, path = "/", method }] of Object.entries(HANDLERS)) {
      const url = await serve(on((_request, _response, next) => next(), handler(scope)));
      const passesOn = name.startsWith("pass") || name.startsWith("follow");
      expect(await fetched(`${url}${path}`, method), name).toMatch(
        passesOn ? /^closed/ : /^(200|400|404|405|503) /,
      );
    }
  });
});

test("/ready lives when a time limit answers while a silent server is asked", async () => {
  const { port } = inject("postgres");
  const proxy = await startProxy(port);
  const scope = makeScope({ stuckAfterMillis: 1 });
  const pool = makePool({ port: proxy.port, connectionTimeoutMillis: 50 });
  scope.watch(pool, { name: "orders" });
  proxy.blackhole();
  await pool.query("SELECT 1").catch(() => {});

  let handled = 0;
  const timeLimit: Handler = (_request, response, next) => {
    setTimeout(() => {
      if (!response.headersSent) answer(response);
    }, 50);
    next();
  };
  const url = await serve(
    onExpress(timeLimit, (request, response, next) => {
      const { end } = response;
      response.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
        handled++;
        return end.apply(this, args);
      } as typeof end;
      scope.health({ cacheMillis: 0 })(request, response, next);
    }),
  );
  expect(await fetched(`${url}/ready`)).toBe("599 application");
  // The recovery ping is over when its connection is closed; whatever the page does then is done.
  await until(() => proxy.connections === 0);
  expect(handled).toBe(1);
});

test("an answer that fails closes the connection and is logged once a handler", async () => {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const scope = makeScope({ logger: { debug: log, info: log, warn: log, error: log } });
  const url = await serve(onExpress(MISHAPS["throws in setHeader()"] as Handler, health(scope)));
  expect(await fetched(`${url}/live`)).toMatch(/^closed/);
  expect(await fetched(`${url}/live`)).toMatch(/^closed/);
  expect(lines).toEqual([
    "poolscope - answer failed: the application's own response failed (handler=scope.health()); the connection was closed",
  ]);
});

test("metrics of these tests are sent in pieces", async () => {
  const scope = await busyScope();
  const pieces: number[] = [];
  const url = await serve(
    onNode((_request, response, next) => {
      const write = response.write.bind(response) as (chunk: Buffer) => boolean;
      response.write = (chunk: Buffer) => {
        pieces.push(chunk.length);
        return write(chunk);
      };
      next();
    }, scope.metrics()),
  );
  await fetched(url);
  expect(pieces.length).toBeGreaterThan(2);
});

test("OPTIONS of a health page is answered with what is allowed, on node:http too", async () => {
  const scope = makeScope();
  const handler = health(scope) as RequestListener;
  for (const listener of [handler, onExpress((_request, _response, next) => next(), handler)]) {
    const response = await fetch(`${await serve(listener)}/live`, { method: "OPTIONS" });
    expect([200, 405]).toContain(response.status);
    expect(response.headers.get("allow")).toMatch(/^GET, ?HEAD$/);
  }
});
