import express from "express";
import request from "supertest";
import { expect, test } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";

function makeApp(hosts?: readonly string[]): express.Express {
  const scope = makeScope();
  scope.watch(makePool(), { name: "orders" });
  const app = express();
  app.use("/health", scope.health({ hosts }));
  app.use("/metrics", scope.metrics({ hosts }));
  return app;
}

const HOSTS = ["shop.example", "Internal.Shop.Example"];

test.each([
  ["shop.example", 200],
  ["SHOP.example.", 200],
  ["shop.example:3000", 200],
  ["internal.shop.example", 200],
  ["localhost:3000", 200],
  ["10.0.0.7:3000", 200],
  ["[::1]:3000", 200],
  ["evil.example", 403],
  ["evil.shop.example", 403],
  ["shop.example.evil.example", 403],
  ["10.0.0.7.evil.example", 403],
  ["localhost.evil.example", 403],
])("a request with Host: %s is answered with %i when hosts are named", async (host, code) => {
  for (const path of ["/health", "/health/live", "/health/nothing", "/metrics"]) {
    const { status, text } = await request(makeApp(HOSTS)).get(path).set("Host", host);
    expect([path, status]).toEqual([path, path === "/health/nothing" && code === 200 ? 404 : code]);
    expect(text).not.toContain(host);
    if (status === 403) expect(text).toContain("this host name is not served");
  }
});

test("any host is answered when none is named", async () => {
  for (const path of ["/health", "/metrics"]) {
    await request(makeApp()).get(path).set("Host", "evil.example").expect(200);
  }
});

test.each([
  ["shop.example", 'Expected `hosts` to be an array of host names, got `"shop.example"` (string)'],
  [[], "Expected `hosts` to be an array of host names, got an array"],
  [
    ["shop.example", "shop.example:3000"],
    'Expected `hosts[1]` to be a host name without scheme, port and path, got `"shop.example:3000"` (string)',
  ],
  [
    ["https://user:sw0rdfish@shop.example"],
    "Expected `hosts[0]` to be a host name without scheme, port and path, got a string",
  ],
])("hosts %j are refused", (hosts, message) => {
  const scope = makeScope();
  for (const make of [scope.health.bind(scope), scope.metrics.bind(scope)]) {
    expect(() => make({ hosts: hosts as string[] })).toThrow(message);
  }
});

test.each([
  [{ cacheMillis: -1 }, "Expected `cacheMillis` to be a whole number from 0"],
  [{ cache: 1 }, "Expected `options` to be an object without the key `cache`: did you mean `cacheMillis`?"],
])("metrics options %j are refused", (options, message) => {
  expect(() => makeScope().metrics(options as never)).toThrow(message);
});
