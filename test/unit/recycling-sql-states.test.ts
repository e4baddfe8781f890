import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { APPENDIX_A } from "../../scripts/sql-states-page.ts";
import { closesSession, rulingOn, SQL_STATES } from "../../src/pg/sql-states.ts";

test.each(
  "08000 08006 08P01 0A000 24000 25000 25001 25006 25P01 25P02 25P03 25P04 26000 28000 28P01 34000 3D000".split(
    " ",
  ),
)("%s closes: the session is at fault, or gone", (sqlState) => {
  expect(closesSession(sqlState)).toBe(true);
});

test.each("3F000 42501 42703 42704 42804 42883 42P01 42P03 42P05 42P07".split(" "))(
  "%s closes: names mean what the session makes of them",
  (sqlState) => {
    expect(closesSession(sqlState)).toBe(true);
  },
);

test.each(
  "53100 53200 53300 53400 55006 55P03 57014 57P01 57P02 57P03 57P04 57P05 58030 XX000 XX001 XX002".split(
    " ",
  ),
)("%s closes: the server process or its limits are at fault", (sqlState) => {
  expect(closesSession(sqlState)).toBe(true);
});

test.each("22012 22001 22003 22P02 23502 23503 23505 23514 23P01 40001 40P01 42601 44000 P0001".split(" "))(
  "%s keeps: every session would fail alike",
  (sqlState) => {
    expect(closesSession(sqlState)).toBe(false);
  },
);

test.each(["", "ABC", "AB123", "99999", "HX000", "0a000", "constructor", "__proto__"])(
  "%o closes, being unknown",
  (sqlState) => {
    expect(closesSession(sqlState)).toBe(true);
  },
);

test("every ruling is on a SQLSTATE or class of its own, with a reason", () => {
  const states = SQL_STATES.map((ruling) => ruling.states);
  expect(new Set(states).size).toBe(states.length);
  for (const { states, reason } of SQL_STATES) {
    expect(states).toMatch(/^[0-9A-Z]{2}([0-9A-Z]{3})?$/);
    expect(reason).not.toBe("");
  }
});

test("every SQLSTATE of appendix A has a ruling", async () => {
  const codes = (await readFile(APPENDIX_A, "utf8")).match(/^[0-9A-Z]{5}(?= )/gm) ?? [];
  expect(codes.length).toBeGreaterThan(260);
  expect(codes.filter((sqlState) => rulingOn(sqlState).states === "")).toEqual([]);
});
