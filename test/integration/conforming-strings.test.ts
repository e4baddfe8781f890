/** A server that takes a backslash in a string for an escape. */
import type pg from "pg";
import { expect, test, vi } from "vitest";
import { makePool, makeScope } from "../support/pools.ts";

const ESCAPED = "SELECT pg_sleep(0.01), 'it\\'s SECRET', 1";

function stage(options: pg.PoolConfig = {}, isWatched = true) {
  const pool = makePool({ max: 1, ...options });
  const warn = vi.fn();
  const logger = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() };
  const scope = makeScope({ slowQueryMillis: 5, logger });
  if (isWatched) scope.watch(pool, { name: "orders" });
  const shown = () => {
    const sql = scope.slowQueries().map((group) => group.sql);
    expect([...warn.mock.calls.flat(), ...sql].join("\n")).not.toContain("SECRET");
    return sql;
  };
  return { pool, scope, shown };
}

test("strings are redacted as a server reads them that was started without conforming strings", async () => {
  const { pool, shown } = stage({ options: "-c standard_conforming_strings=off" });
  await pool.query(ESCAPED);
  expect(shown()).toEqual(["SELECT pg_sleep(?), ?, ?"]);
});

test("strings are redacted as a connection reads them from the moment it changes", async () => {
  const { pool, shown } = stage();
  await pool.query("SELECT pg_sleep(0.01), 'a\\', 2");
  await pool.query("SET standard_conforming_strings = off");
  await pool.query(ESCAPED);
  expect(shown()).toContain("SELECT pg_sleep(?), ?, ?");
  await pool.query("SET standard_conforming_strings = on");
  await pool.query("SELECT pg_sleep(0.01), '\\', relname, '\\' FROM pg_class LIMIT 1");
  expect(shown()).toContain("SELECT pg_sleep(?), ?, relname, ? FROM pg_class LIMIT ?");
});

test("a string goes to the end of the text when it is unknown how a connection reads it", async () => {
  const { pool, scope, shown } = stage({}, false);
  await pool.query("SET standard_conforming_strings = off");
  scope.watch(pool, { name: "orders" });
  await pool.query(ESCAPED);
  expect(shown()).toEqual(["SELECT pg_sleep(?), ?"]);
});

test("nothing is left on a client whose pool is not watched any more", async () => {
  const pool = makePool({ max: 1 });
  await pool.query("SELECT 1");
  const client = (await pool.connect()) as pg.PoolClient & { connection: NodeJS.EventEmitter };
  const before = client.connection.listenerCount("parameterStatus");
  const watch = makeScope().watch(pool, { name: "orders" });
  expect(client.connection.listenerCount("parameterStatus")).toBe(before + 1);
  watch.unwatch();
  expect(client.connection.listenerCount("parameterStatus")).toBe(before);
  client.release();
});
