import express from "express";
import request from "supertest";
import { expect, test } from "vitest";
import { expectNoMishaps } from "../support/mishaps.ts";
import { makePool, makeScope } from "../support/pools.ts";

expectNoMishaps();

const neverAnswers = () => new Promise<boolean>(() => {});
const rejects = () => Promise.reject<boolean>(new Error("the session store is away"));
const throws = (): boolean => {
  throw new Error("no session");
};

test.each([
  ["never answers", neverAnswers],
  ["rejects", rejects],
  ["throws", throws],
])("a details rule that %s hides details and holds up no page for long", async (_name, details) => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const components = { cache: () => ({ status: "healthy" as const, shards: 3 }) };
  const app = express().use("/health", scope.health({ details, components, cacheMillis: 0 }));
  for (const path of ["/", "/database", "/database/orders"]) {
    const { body } = await request(app).get(`/health${path}`).timeout(5_000).expect(200);
    expect(body.status).toBe("healthy");
    if (path === "/") expect(body.components.cache).toEqual({ status: "healthy" });
  }
});

test("probes show no details and do not ask the rule for them", async () => {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  let asked = 0;
  const details = () => {
    asked++;
    return neverAnswers();
  };
  const app = express().use("/health", scope.health({ details }));
  for (const path of ["/live", "/started", "/ready?verbose"]) {
    await request(app).get(`/health${path}`).timeout(5_000).expect(200);
  }
  expect(asked).toBe(0);
});
