import { createServer } from "node:http";
import express, { type RequestHandler } from "express";
import request from "supertest";
import { expect, test } from "vitest";
import { type Poolscope, PoolscopeError } from "../../src/index.ts";
import { makePool, makeScope } from "../support/pools.ts";

const METHODS = ["metrics", "health", "routes", "shedLoad"] as const;

function watching(): Poolscope {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  return scope;
}

test.each(METHODS)(
  "scope.%s mounted without a call is an error of the application's handlers",
  async (method) => {
    const scope = watching();
    const errors: unknown[] = [];
    const app = express();
    app.use("/here", scope[method] as unknown as RequestHandler);
    app.use(((error, _request, response, _next) => {
      errors.push(error);
      response.status(500).end();
    }) as express.ErrorRequestHandler);
    await request(app).get("/here").expect(500);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(PoolscopeError);
    expect(errors[0]).toMatchObject({
      code: "POOLSCOPE_INVALID_OPTION",
      message: `\`scope.${method}\` was mounted without a call: it makes the handler, so mount \`scope.${method}()\``,
    });
  },
);

test.each(METHODS)("scope.%s given to node:http without a call is answered", async (method) => {
  const scope = watching();
  const { text } = await request(createServer(scope[method] as never))
    .get("/")
    .expect(500);
  expect(text).toContain(`mount \`scope.${method}()\``);
});

test("the methods that are called serve as ever", async () => {
  const scope = watching();
  const app = express();
  app.use("/metrics", scope.metrics());
  app.use("/health", scope.health());
  app.use(scope.routes());
  app.use(scope.shedLoad());
  app.get("/orders", (_request, response) => void response.json([]));
  await request(app).get("/metrics").expect(200);
  await request(app).get("/health").expect(200);
  await request(app).get("/orders").expect(200, []);
});
