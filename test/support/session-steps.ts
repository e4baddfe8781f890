import fc from "fast-check";
import type { Step } from "./scripted-sessions.ts";

const READS = [
  "SELECT id, n FROM goods ORDER BY id",
  "SELECT * FROM goods ORDER BY id",
  "SELECT count(*)::int FROM goods",
  "SELECT 1::int AS one",
  "SELECT $$2020-01-01 12:00+00$$::timestamptz::text AS at",
  "SELECT coalesce(current_setting('app.tenant', true), 'none') AS tenant",
  "SHOW search_path",
];
const WRITES = ["UPDATE goods SET n = n + 1", "DELETE FROM goods WHERE id > 5"];
const FAILURES = [
  "SELECT 1/0",
  "SELEC 1",
  "INSERT INTO goods VALUES (1, 1)",
  "INSERT INTO goods VALUES (8, NULL)",
  "INSERT INTO offers VALUES (99)",
  "SELECT * FROM missing",
  "SELECT missing FROM goods",
  "SELECT missing(1)",
  "SELECT 'x'::int",
  "SELECT '13/01/2020'::date",
  "SELECT * FROM missing.goods",
  "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$",
  "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'AB123'; END $$",
  "SELECT 1; SELECT 1/0",
  "INSERT INTO goods VALUES (6, 6); SELECT 1/0",
  "INSERT INTO goods VALUES (7, 7); COMMIT; SELECT 1/0",
  "CREATE TABLE fresh (id int); SELECT 1/0",
  "CREATE TEMP TABLE scratch (id int); SELECT 1/0",
  "CREATE TEMP TABLE scratch (id int); COMMIT; SELECT 1/0",
  "SET search_path = other; SELECT 1/0",
  "SET search_path = other; COMMIT; SELECT 1/0",
  "BEGIN; INSERT INTO goods VALUES (9, 9); SELECT 1/0",
  "LISTEN news; COMMIT; SELECT 1/0",
];
/** What fails or not, or answers otherwise, by the session it meets. */
const DEPENDING = [
  "SELECT * FROM only_there",
  "SELECT pg_sleep(0.03)",
  "SELECT current_setting('app.tenant') AS tenant",
  "SELECT current_setting('app.tenant', true)::int AS tenant",
  "SELECT id FROM scratch ORDER BY id",
  "INSERT INTO scratch VALUES (1)",
  "SELECT pg_listening_channels()",
  "EXECUTE one",
  "FETCH 1 FROM held",
  "SELECT currval('ids')::int AS id",
  "SELECT pg_advisory_unlock(7)",
];
const STATE = [
  "SET search_path = other, public",
  "SET search_path = nowhere",
  "RESET search_path",
  "SET statement_timeout = 10",
  "RESET ALL",
  "SET default_transaction_read_only = on",
  "SET default_transaction_read_only = off",
  "SET TIME ZONE 'Asia/Tokyo'",
  "SET DateStyle = 'ISO, DMY'",
  "SET ROLE pg_monitor",
  "SET app.tenant = '4'",
  "SELECT set_config('app.tenant', '5', false)",
  "SELECT set_config('app.tenant', '6', true)",
  "SELECT be_tenant('7')",
  "CREATE TEMP TABLE scratch (id int)",
  "SELECT 3 AS id INTO TEMP scratch",
  "CREATE TEMP TABLE goods (id int, n int)",
  "CREATE TABLE pg_temp.only_there (id int)",
  "LISTEN news",
  "SELECT pg_try_advisory_lock(7)",
  "PREPARE one AS SELECT 1 AS one",
  "DEALLOCATE ALL",
  "DECLARE held CURSOR WITH HOLD FOR SELECT id FROM goods ORDER BY id",
  "SELECT nextval('ids')::int AS id",
  "DISCARD ALL",
  "DO $$ BEGIN SET search_path = other; END $$",
  "ALTER DATABASE this_database SET search_path = other, public",
  "ALTER DATABASE this_database RESET search_path",
];
const TRANSACTIONS = [
  "BEGIN",
  "COMMIT",
  "ROLLBACK",
  "BEGIN; SET LOCAL search_path = other",
  "SAVEPOINT here",
  "ROLLBACK TO here",
  "SET CONSTRAINTS ALL IMMEDIATE",
  "INSERT INTO goods VALUES (3, 30)",
  "INSERT INTO goods VALUES (4, 40)",
];
const IDLING = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 20";
const BESIDE = [
  "ALTER TABLE goods ADD COLUMN IF NOT EXISTS price int DEFAULT 5",
  "ALTER TABLE goods DROP COLUMN IF EXISTS price",
  "ALTER TABLE goods ALTER COLUMN n TYPE text",
  "ALTER TABLE goods ALTER COLUMN n TYPE int USING n::int",
  "SELECT pg_try_advisory_lock(7)",
  "SELECT pg_advisory_unlock(7)",
  "INSERT INTO goods VALUES (5, 50)",
  "SELECT id, n FROM public.goods ORDER BY id",
  "DO $$ BEGIN PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'; END $$",
];
const CHECKOUTS: Step[] = [
  { checkout: ["SELECT 1/0"] },
  { checkout: ["SET search_path = other, public"] },
  { checkout: ["SET statement_timeout = 10"] },
  { checkout: ["SET default_transaction_read_only = on"] },
  { checkout: ["CREATE TEMP TABLE scratch (id int)", "INSERT INTO scratch VALUES (2)"] },
  { checkout: ["BEGIN", "UPDATE goods SET n = n + 1", "COMMIT"] },
  { checkout: ["BEGIN", "INSERT INTO goods VALUES (1, 1)", "ROLLBACK"] },
  { checkout: ["BEGIN", "SELECT set_config('app.tenant', '8', true)", "COMMIT"] },
  { checkout: ["BEGIN", "SET LOCAL app.tenant = '9'", "COMMIT"] },
  { checkout: ["SELECT pg_try_advisory_lock(7)"] },
  { checkout: ["SELECT id, n FROM goods ORDER BY id"], isBroken: true },
  { checkout: ["SELECT 1::int AS one"], parsesNumbers: true },
];
const NAMED: Step[] = [
  { name: "a", query: "SELECT * FROM goods ORDER BY id" },
  { name: "a", query: "SELECT id FROM goods ORDER BY id" },
  { name: "b", query: "SELECT * FROM goods WHERE id = $1", values: [1] },
  { name: "c", query: "SELECT 1 / $1::int AS ratio", values: [0] },
  { name: "c", query: "SELECT 1 / $1::int AS ratio", values: [1] },
  { name: "d", query: "INSERT INTO goods VALUES ($1, $2)", values: [1, 1] },
];
const HELD = STATE.filter((text) => !text.includes("this_database"));
const HOLDS: Step[] = [{ hold: "take" }, { hold: "give back" }];

export interface Script {
  readonly max: number;
  /** Whether a `connect` listener sets something on each connection. */
  readonly setsOnConnect: boolean;
  readonly steps: readonly Step[];
}

/** Scripts of up to `length` steps, for a pool of up to three connections. */
export function scripts(length: number): fc.Arbitrary<Script> {
  return fc.record({
    max: fc.integer({ min: 1, max: 3 }),
    setsOnConnect: fc.boolean(),
    steps: fc.array(step(), { minLength: 1, maxLength: length, size: "max" }),
  });
}

function step(): fc.Arbitrary<Step> {
  const query = (texts: readonly string[]) => fc.constantFrom(...texts).map((text) => ({ query: text }));
  return fc.oneof(
    { weight: 4, arbitrary: query(READS) },
    { weight: 2, arbitrary: query(WRITES) },
    { weight: 5, arbitrary: query(FAILURES) },
    { weight: 4, arbitrary: query(DEPENDING) },
    { weight: 4, arbitrary: query(STATE) },
    { weight: 4, arbitrary: query(TRANSACTIONS) },
    { weight: 3, arbitrary: fc.constantFrom(...BESIDE).map((beside) => ({ beside })) },
    { weight: 3, arbitrary: fc.constantFrom(...CHECKOUTS) },
    { weight: 3, arbitrary: fc.constantFrom(...NAMED) },
    { weight: 2, arbitrary: fc.constantFrom(...HOLDS) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...DEPENDING, ...TRANSACTIONS, ...HELD).map((held) => ({ held })),
    },
    { weight: 1, arbitrary: fc.constant({ idlesAfter: IDLING }) },
    { weight: 1, arbitrary: fc.constant({ query: "SELECT pg_terminate_backend(pg_backend_pid())" }) },
  );
}
