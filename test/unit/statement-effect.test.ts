import { describe, expect, test } from "vitest";
import { effectOf, leavesState } from "../../src/pg/statement-effect.ts";

describe("a statement leaves state", () => {
  test.each([
    "SET search_path = other",
    "SET SESSION search_path = other",
    "set role reader",
    "SET SESSION AUTHORIZATION reader",
    "SET TIME ZONE 'UTC'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "RESET ALL",
    "RESET search_path",
    "LISTEN news",
    "UNLISTEN *",
    "LOAD 'auto_explain'",
    "DISCARD ALL",
    "DISCARD TEMP",
    "PREPARE a AS SELECT 1",
    "DEALLOCATE ALL",
    "EXECUTE a(1)",
    "DO $$ BEGIN SET search_path = other; END $$",
    "DO $a$ BEGIN IF true THEN LISTEN news; END IF; END $a$",
    "DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$",
    "DO $$ BEGIN PERFORM set_config('a', 'b', false); END $$",
    "DO $$ BEGIN EXECUTE 'SE' || 'T a = b'; END $$",
    "DO $$ BEGIN CREATE TEMP TABLE t (id int); END $$",
    "DO 'BEGIN PERFORM 1; END'",
    "DO LANGUAGE plpython3u $$ GD[1] = 1 $$",
    "DO $$ GD[1] = 1 $$ LANGUAGE plpython3u",
    "DO $a$ BEGIN PERFORM $$ $$; SET a = b; END $a$",
    "DO $$ BEGIN PERFORM 1; END $$; SET a = b",
    "CALL tidy()",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "DECLARE c SCROLL CURSOR /* even */ WITH -- so\n HOLD FOR SELECT 1",
    "CREATE TEMP TABLE t (id int)",
    "CREATE TEMPORARY TABLE t (id int)",
    "CREATE LOCAL TEMP TABLE t (id int)",
    "CREATE GLOBAL TEMPORARY TABLE t (id int)",
    "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
    "CREATE TEMP SEQUENCE s",
    "CREATE TABLE pg_temp.t (id int)",
    'CREATE TABLE "pg_temp" . t (id int)',
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT 1 AS id INTO TEMP t",
    "SELECT 1 AS id INTO TEMPORARY TABLE t",
    "SELECT set_config('search_path', 'other', false)",
    "SELECT pg_catalog.set_config('search_path', $1, $2)",
    'SELECT "set_config"($1, $2, $3)',
    "SELECT postgres.pg_catalog.set_config('a.b', 'c', false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(1, 2)",
    "SELECT pg_advisory_lock_shared(1)",
    "SELECT pg_advisory_unlock_all()",
    'SELECT "pg_advisory_lock"(1)',
    "SELECT pg_advisory_lock /* here */ (1)",
    "SELECT lo_open(1, 2)",
    "SELECT dblink_connect('a', 'b')",
    "SELECT setseed(0.5)",
    "SELECT nextval('s')",
    "SELECT setval('s', 1)",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
  ])("%s", (text) => {
    expect(leavesState(text)).toBe(true);
  });
});

describe("a statement leaves state wherever it stands in its text", () => {
  test.each([
    "  \n\t SET x = 1",
    "-- why\nSET x = 1",
    "/* why /* nested */ */ SET x = 1",
    ";;SET x = 1",
    "SELECT 1; SET x = 1",
    "SELECT 1;SET x = 1; SELECT 2",
    "SELECT ';'; -- ; \n /* ; */ LISTEN a",
    "INSERT INTO t VALUES ('it''s'); SET x = 1",
    "SELECT $tag$ ; ' $tag$; SET x = 1",
    'SELECT 1 AS "a;b"; SET x = 1',
    "((SELECT pg_advisory_lock(1)))",
    "WITH x AS (SELECT pg_advisory_lock(1)) SELECT * FROM x",
    "INSERT INTO t (a) SELECT pg_advisory_lock(1)",
    "INSERT INTO t (a) VALUES (set_config('a', 'b', false))",
    "UPDATE t SET a = set_config('a', 'b', false)",
    "SELECT * FROM t WHERE id IN (1, 2) AND pg_try_advisory_lock(id)",
    "SELECT count(*), (SELECT pg_advisory_lock(1))",
    "SELECT a.b, c.d FROM pg_advisory_lock(1) AS x",
    "SELECT/**/pg_advisory_lock(1)",
    "EXPLAIN ANALYZE SELECT pg_advisory_lock(1)",
    "COPY (SELECT pg_advisory_lock(1)) TO STDOUT",
    "BEGIN; SET x = 1; COMMIT",
    "CREATE TABLE t AS SELECT 1; CREATE/**/TEMP/**/TABLE u (id int)",
  ])("%s", (text) => {
    expect(leavesState(text)).toBe(true);
  });
});

describe("a statement counts as state when it is not certain", () => {
  test.each([
    "SELECT my_function(1)",
    "SELECT public.count(1)",
    "SELECT app.now()",
    "INSERT INTO t (a) VALUES (app.next_id())",
    "SELECT * FROM a JOIN b ON matches(a, b)",
    "SELECT 'a\\', pg_advisory_lock(1), 'b'",
    "SELECT E'it\\'s'",
    'SELECT U&"\\0073et_config"($1, $2, $3)',
    "FROBNICATE t",
    "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c",
    `SELECT ${"1, ".repeat(10_000)} 1`,
  ])("%s", (text) => {
    expect(leavesState(text)).toBe(true);
  });
});

describe("a statement leaves nothing", () => {
  test.each([
    "",
    ";",
    "-- nothing",
    "SELECT 1",
    "SELECT * FROM goods WHERE id = $1",
    "SELECT id, temp, hold, load FROM weather WHERE temp > 20 AND hold = $1",
    "SELECT t.temp, max(w.temporary) FROM t JOIN w USING (id)",
    "SELECT 'SET x = 1; LISTEN a'",
    "SELECT $$ pg_advisory_lock(1) $$",
    "SELECT 1 -- pg_advisory_lock(1)\n + 2 /* set_up(1) */",
    'SELECT "set" FROM t',
    "SELECT count(*), coalesce(max(price), 0), now(), date_trunc('day', at) FROM goods GROUP BY (kind)",
    "SELECT pg_catalog.count(*) FROM t",
    "SELECT * FROM unnest($1::int[]) AS t (id)",
    "SELECT * FROM unnest($1::int[]) t (id)",
    "SELECT price::numeric(10, 2) FROM goods WHERE id IN (SELECT good FROM offers) AND (a OR b)",
    "SELECT row_number() OVER (PARTITION BY kind ORDER BY price) FROM goods",
    "SELECT count(*) FILTER (WHERE a > 1) FROM goods",
    "WITH cheap (id) AS (SELECT id FROM goods) SELECT * FROM cheap",
    "WITH RECURSIVE tree (id) AS MATERIALIZED (SELECT 1) SELECT * FROM tree",
    "INSERT INTO goods (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *",
    'INSERT INTO "shop"."goods" (a) VALUES (DEFAULT)',
    "INSERT INTO shop . goods (a) SELECT 1",
    "UPDATE goods SET (a, b) = ($1, $2) WHERE id = any($3)",
    "DELETE FROM goods WHERE NOT EXISTS (SELECT FROM offers)",
    "MERGE INTO goods USING offers ON goods.id = offers.id WHEN MATCHED THEN DO NOTHING",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "VALUES (1), (2)",
    "BEGIN",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "COMMIT",
    "ROLLBACK TO SAVEPOINT a",
    "SET LOCAL statement_timeout = 100",
    "SET TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL DEFERRED",
    "BEGIN; SET LOCAL lock_timeout = '1s'; UPDATE t SET a = 1; COMMIT",
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH 10 FROM c",
    "CREATE TABLE IF NOT EXISTS goods (id int PRIMARY KEY, kind varchar(10) REFERENCES kinds (id))",
    "ALTER TABLE goods ALTER COLUMN temp SET DEFAULT 1",
    "DROP TABLE goods",
    "TRUNCATE goods",
    "COPY goods (a, b) FROM STDIN",
    "NOTIFY news, 'hello'",
    "SHOW search_path",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23505'; END $$;",
    "DO $a$ DECLARE n int; BEGIN n := (SELECT count(*) FROM t); IF (n > 1) THEN DELETE FROM t; END IF; END $a$",
    "EXPLAIN (ANALYZE, BUFFERS) SELECT 1",
  ])("%s", (text) => {
    expect(effectOf(text)).toBe("nothing");
  });
});

test("a custom parameter is state after SET LOCAL: it stays defined, with an empty value", () => {
  expect(leavesState("SET LOCAL app.tenant = '1'")).toBe(true);
  expect(leavesState("SET LOCAL app . tenant = '1'")).toBe(true);
  expect(leavesState("SELECT set_config('app.tenant', $1, true)")).toBe(true);
});

test("a setting is told apart from state that another session cannot have", () => {
  expect(effectOf("SET search_path = other; LISTEN news")).toBe("setting");
  expect(effectOf("SET search_path = other; CREATE TEMP TABLE t (id int)")).toBe("state");
});

test("the defaults of roles and databases concern every session of the pool", () => {
  expect(effectOf("ALTER ROLE app SET search_path = other")).toBe("defaults");
  expect(effectOf("ALTER USER app RESET ALL")).toBe("defaults");
  expect(effectOf("ALTER DATABASE shop SET statement_timeout = 1")).toBe("defaults");
  expect(effectOf("SELECT 1; alter /* now */ system SET work_mem = '1MB'")).toBe("defaults");
});

test("a text is judged in time proportional to its length", () => {
  const hostile = [
    "--",
    "/*",
    "a.",
    "$a",
    "$a$",
    "(",
    ")a",
    '"',
    "'",
    "u&'",
    "a -- \n",
    "temp ",
    "alter ",
    "\n",
    ";",
  ];
  const started = performance.now();
  for (const piece of hostile) effectOf(`SELECT ${piece.repeat(8_000 / piece.length)}`);
  expect(performance.now() - started).toBeLessThan(1_000);
});
