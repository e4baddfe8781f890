import { expect, inject, test } from "vitest";
import { makePool } from "../support/pools.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

async function poolBehindProxy() {
  const proxy = await startProxy(inject("postgres").port);
  const pool = makePool({ port: proxy.port, max: 1 });
  const query = async () => (await pool.query("SELECT 1 AS one")).rows;
  expect(await query()).toEqual([{ one: 1 }]);
  return { proxy, pool, query };
}

test("a blackhole holds old and new connections silent until it is healed", async () => {
  const { proxy, query } = await poolBehindProxy();
  const other = makePool({ port: proxy.port });
  proxy.blackhole();
  const answers = [query(), other.query("SELECT 1 AS one")];
  let answered = 0;
  for (const answer of answers) void answer.then(() => answered++);
  await until(() => proxy.connections === 2);
  // A query beside the proxy and back: time enough for a link that works.
  await makePool().query("SELECT 1");
  expect(answered).toBe(0);
  proxy.heal();
  await Promise.all(answers);
});

test("a cut ends every connection and lets new ones in", async () => {
  const { proxy, pool, query } = await poolBehindProxy();
  proxy.cut();
  await until(() => pool.totalCount === 0 && proxy.connections === 0);
  expect(await query()).toEqual([{ one: 1 }]);
});

test("what refuses ends every connection and lets nobody in until it is healed", async () => {
  const { proxy, pool, query } = await poolBehindProxy();
  await proxy.refuse();
  await until(() => pool.totalCount === 0);
  await expect(query()).rejects.toThrow("ECONNREFUSED");
  proxy.heal();
  await until(() => query().catch(() => undefined));
});
