import { readFile } from "node:fs/promises";
import express from "express";
import { expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";

/*
 * docs/scaling.md says how many series a pool costs. Here they are counted, on a page with the same series that a
 * Collector shows, and the document's numbers are compared.
 */

const documented = async (what: string): Promise<number> => {
  const text = await readFile("docs/scaling.md", "utf8");
  const row = text.split("\n").find((line) => line.startsWith(`| ${what}`));
  const number = /\| *(\d+) *\|/.exec(row ?? "")?.[1];
  if (number === undefined) throw new Error(`docs/scaling.md has no row "${what}"`);
  return Number(number);
};

async function countAfter(scope: ReturnType<typeof makeScope>, act: () => unknown): Promise<number> {
  const series = async () => (await scrape(scope)).all.filter(({ name }) => name !== "target_info").length;
  const before = await series();
  await act();
  return (await series()) - before;
}

test("a watched pool costs as many series as the documentation says", async () => {
  const scope = makeScope();
  const pool = makePool({ max: 2 });
  expect(await countAfter(scope, () => scope.watch(pool, { name: "first" }))).toBe(
    await documented("a pool"),
  );
});

test("whatever a pool does, it costs no more where queries are not measured", async () => {
  const scope = makeScope({ queries: "off" });
  const pool = makePool({ max: 2 });
  scope.watch(pool, { name: "first" });
  const busy = async () => {
    await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 1"), pool.query("SELECT 1")]);
    (await pool.connect()).release(true);
  };
  expect(await countAfter(scope, busy)).toBe(0);
});

test("every kind of query, every error and every route adds what the documentation says", async () => {
  const scope = makeScope({ queryName: ({ name }) => name as string });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name: "first" });
  const select = () => pool.query({ name: "report", text: "SELECT 1" });
  const first = await countAfter(scope, () => pool.query("SELECT 1"));
  expect(first).toBe(await documented("a verb"));
  expect(await countAfter(scope, select)).toBe(await documented("a verb"));
  const fail = () => pool.query("SELECT 1 / 0").catch(() => {});
  expect(await countAfter(scope, fail)).toBe(await documented("an error"));

  const app = express().use(scope.routes());
  app.get("/orders", async (_request, response) => void response.json((await pool.query("SELECT 1")).rows));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const visit = async () => void (await (await fetch(`http://127.0.0.1:${port}/orders`)).text());
  expect(await countAfter(scope, visit)).toBe(await documented("a route"));
  server.close();
  server.closeAllConnections();
});

test("the examples add up", async () => {
  const [pool, verb, error, route] = await Promise.all(
    ["a pool", "a verb", "an error", "a route"].map(documented),
  );
  const one = pool! + 5 * verb! + 3 * error! + 10 * route!;
  expect(await documented("one such pool")).toBe(one);
  expect(await documented("two of them in each of 100 processes")).toBe(100 * (2 * one + 1));
});
