import { createRequire } from "node:module";
import express from "express";
import current from "pg";
import request from "supertest";
import { describe, expect, inject, test } from "vitest";
import { type ConnectionTarget, withOwnConnection } from "../../src/server/own-connection.ts";
import { expectNoMishaps, mishaps } from "../support/mishaps.ts";
import { CLOSED_PORT, makePool, makeScope } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

expectNoMishaps();

const AMPLE_MILLIS = 10_000;
const BRIEF_MILLIS = 100;
const { port } = inject("postgres");
const oldest = createRequire(import.meta.url)("pg-8.11") as typeof current;

type Class = typeof current.Client;
type Done = (error?: Error | null) => void;
const own = () => new Error("the class's own");

/** A class of clients whose methods are replaced. They take `this` and pg's own client methods by their callbacks. */
function classOf(Client: Class, methods: (parent: Methods) => Partial<Methods>): Class {
  const { connect, query, end } = Client.prototype as unknown as Methods;
  class Shape extends Client {}
  Object.assign(Shape.prototype, methods({ connect, query, end }));
  return Shape;
}

interface Methods {
  connect(this: current.Client, done: Done): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as many shapes as pg has
  query(this: current.Client, text: string, values: any, done: any): unknown;
  end(this: current.Client, done?: Done): unknown;
}

/** What pg-pool can work with: its calls have callbacks, and of what they return it looks at nothing. */
const WORKING: Record<string, (parent: Methods) => Partial<Methods>> = {
  "whose connect has a callback and returns nothing": ({ connect }) => ({
    connect(done) {
      connect.call(this, (error) => done(error));
    },
  }),
  "whose connect returns a promise as well": ({ connect }) => ({
    async connect(done) {
      connect.call(this, (error) => done(error));
    },
  }),
  "whose connect calls back and rejects": ({ connect }) => ({
    connect(done) {
      return new Promise((_resolve, reject) => {
        connect.call(this, (error) => {
          done(error);
          reject(own());
        });
      });
    },
  }),
  "whose connect calls back twice, the second time with an error": ({ connect }) => ({
    connect(done) {
      connect.call(this, (error) => {
        done(error);
        done(own());
      });
    },
  }),
  "whose connect calls back and throws": () => ({
    connect(done) {
      (current.Client.prototype.connect as Methods["connect"]).call(this, () => {});
      done();
      throw own();
    },
  }),
  "whose query calls back twice and rejects": ({ query }) => ({
    query(text, values, done) {
      return new Promise((_resolve, reject) => {
        query.call(this, text, values, (...outcome: unknown[]) => {
          done(...outcome);
          done(own());
          reject(own());
        });
      });
    },
  }),
  "whose end knows no callback": ({ end }) => ({
    end() {
      end.call(this, () => {});
    },
  }),
  "whose end does nothing": () => ({
    end() {},
  }),
  "whose end never calls back": ({ end }) => ({
    end() {
      end.call(this, () => {});
      this.removeAllListeners("end");
    },
  }),
  "whose end throws": () => ({
    end() {
      throw own();
    },
  }),
  "whose end rejects": ({ end }) => ({
    async end(done) {
      end.call(this, done);
      throw own();
    },
  }),
  "whose end calls back twice": ({ end }) => ({
    end(done) {
      end.call(this, () => {
        done?.(own());
        done?.();
      });
    },
  }),
  "that emits an error after its end": ({ end }) => ({
    end(done) {
      end.call(this, () => {
        done?.();
        setImmediate(() => this.emit("error", own()));
      });
    },
  }),
  "that drops its listeners at its end and emits an error": ({ end }) => ({
    end(done) {
      this.removeAllListeners("error");
      end.call(this, () => {
        done?.();
        setImmediate(() => this.emit("error", own()));
      });
    },
  }),
};

/** What pg-pool cannot work with either, and what came of it. */
const FAILING: Record<string, [reason: string, methods: (parent: Methods) => Partial<Methods>]> = {
  "whose connect throws": [
    "the class's own",
    () => ({
      connect() {
        throw own();
      },
    }),
  ],
  "whose connect rejects and does not call back": [
    "the class's own",
    () => ({
      async connect() {
        throw own();
      },
    }),
  ],
  "whose connect calls back with an error, rejects and connects after all": [
    "the class's own",
    ({ connect }) => ({
      async connect(done) {
        done(own());
        connect.call(this, done);
        throw own();
      },
    }),
  ],
  "whose connect never calls back": [
    "did not answer within",
    ({ connect }) => ({
      connect() {
        connect.call(this, () => {});
      },
    }),
  ],
  "whose connect dials after the deadline": [
    "did not answer within",
    ({ connect }) => ({
      connect(done) {
        setTimeout(() => connect.call(this, done), 2 * BRIEF_MILLIS);
      },
    }),
  ],
  "whose connect dials after the deadline and never calls back": [
    "did not answer within",
    ({ connect }) => ({
      connect() {
        setTimeout(() => connect.call(this, () => {}), 2 * BRIEF_MILLIS);
      },
    }),
  ],
  "whose query throws": [
    "the class's own",
    () => ({
      query() {
        throw own();
      },
    }),
  ],
  "whose query rejects and does not call back": [
    "the class's own",
    () => ({
      async query() {
        throw own();
      },
    }),
  ],
  "whose query never calls back": [
    "did not answer within",
    () => ({
      query() {},
    }),
  ],
  "whose end throws, after a query that failed": [
    "the class's own",
    () => ({
      query(_text, _values, done) {
        done(own());
      },
      end() {
        throw own();
      },
    }),
  ],
  "that emits errors all along": [
    "did not answer within",
    ({ connect }) => ({
      connect() {
        this.emit("error", own());
        connect.call(this, () => setImmediate(() => this.emit("error", own())));
      },
    }),
  ],
};

describe.each([
  ["installed", current.Client],
  ["oldest", oldest.Client],
])("with the %s pg", (_line, Client) => {
  const ask = (target: ConnectionTarget, millis: number) =>
    withOwnConnection(target, millis, async (server) => (await server.query("SELECT 'yes' AS answer")).rows);

  test.each(Object.entries(WORKING))(
    "a class %s is asked, and its connection is closed",
    async (_name, methods) => {
      const proxy = await startProxy(port);
      const { options } = makePool({ port: proxy.port });
      expect(await ask({ Client: classOf(Client, methods), options }, AMPLE_MILLIS)).toEqual([
        { answer: "yes" },
      ]);
      await until(() => proxy.connections === 0);
    },
  );

  test.each(Object.entries(WORKING))(
    "a class %s is a rejection where nothing listens",
    async (_name, methods) => {
      const { options } = makePool({ port: CLOSED_PORT });
      await expect(ask({ Client: classOf(Client, methods), options }, AMPLE_MILLIS)).rejects.toThrow();
    },
  );

  test.each(Object.entries(FAILING))(
    "a class %s is a rejection, and leaves no connection",
    async (name, [reason, methods]) => {
      const proxy = await startProxy(port);
      const { options } = makePool({ port: proxy.port });
      const millis = reason.includes("did not answer") ? BRIEF_MILLIS : AMPLE_MILLIS;
      await expect(ask({ Client: classOf(Client, methods), options }, millis)).rejects.toThrow(reason);
      if (name.includes("after the deadline")) await until(() => proxy.accepted > 0);
      await until(() => proxy.connections === 0);
    },
  );

  test("a class whose constructor throws is a rejection", async () => {
    class Throws extends Client {
      constructor() {
        super();
        throw own();
      }
    }
    const { options } = makePool();
    await expect(ask({ Client: Throws, options }, BRIEF_MILLIS)).rejects.toThrow("the class's own");
  });

  test("a class that lacks the methods is a rejection", async () => {
    const { options } = makePool();
    await expect(ask({ Client: class {}, options }, BRIEF_MILLIS)).rejects.toThrow("not a function");
  });
});

test("whatever its class of clients does, a watched pool ends no process", async () => {
  class Throws extends current.Client {
    // As pg's own, until poolscope asks for a client of its own.
    constructor(config: current.ClientConfig & { connection?: unknown }) {
      super(config);
      if (config.application_name === "poolscope") throw own();
    }
  }
  const shapes = [...Object.values(WORKING), ...Object.values(FAILING).map(([, methods]) => methods)].map(
    (methods) => classOf(current.Client, methods),
  );
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  // The budget is compared a second after watching.
  const scope = makeScope({
    processes: 1,
    stuckAfterMillis: 1,
    logger: { debug: log, info: log, warn: log, error: log },
  });
  const app = express().use(
    "/health",
    scope.health({ cacheMillis: 0, ping: { timeoutMillis: BRIEF_MILLIS } }),
  );
  const proxy = await startProxy(port);
  for (const [at, Client] of [...shapes, Throws].entries()) {
    scope.watch(makePool({ port: at % 2 === 0 ? proxy.port : CLOSED_PORT, Client } as current.PoolConfig));
  }
  const { body } = await request(app).get("/health");
  expect(body.components.ping.status).toBe("critical");
  await request(app).get("/health/ready");
  expect(await mishaps()).toEqual([]);
  await scope.connectionBudget().catch((error: Error) => lines.push(error.message));
  await until(() => lines.some((line) => line.includes("the connection budget could not be compared")));
  expect(await mishaps()).toEqual([]);
  await until(() => proxy.connections === 0);
});

test("holders are joined with the server over a class of callbacks only", async () => {
  const scope = makeScope();
  const Client = classOf(
    current.Client,
    WORKING["whose connect has a callback and returns nothing"] as never,
  );
  const pool = makePool({ Client } as current.PoolConfig);
  scope.watch(pool, { name: "orders" });
  await pool.connect();
  const holders = await scope.holders("orders", { joinServer: true });
  expect(holders).toMatchObject([{ server: { state: "idle" } }]);
});

test("a pool that was down is found back over a class of callbacks only", async () => {
  const scope = makeScope({ stuckAfterMillis: 1 });
  const proxy = await startProxy(port);
  const Client = classOf(
    current.Client,
    WORKING["whose connect has a callback and returns nothing"] as never,
  );
  const pool = makePool({ port: proxy.port, Client } as current.PoolConfig);
  scope.watch(pool, { name: "orders" });
  const app = express().use("/health", scope.health({ cacheMillis: 0 }));
  await proxy.refuse();
  await pool.query("SELECT 1").catch(() => {});
  await until(async () => (await request(app).get("/health/ready")).status === 503);
  proxy.heal();
  await until(async () => (await request(app).get("/health/ready")).status === 200);
});
