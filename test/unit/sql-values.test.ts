import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redactSql } from "../../src/queries/redact-sql.ts";

test.each([
  ["SET app.token TO SECRETB", "SET app.token TO ?"],
  ["set app.token = secretb", "set app.token = ?"],
  ["SET LOCAL x = SECRETC", "SET LOCAL x = ?"],
  ['SET SESSION x TO "SECRETC", secretd', "SET SESSION x TO ?, ?"],
  ['SET x = "SECRET C"', "SET x = ?"],
  ["begin; SET LOCAL app.user = alice; select a from t", "begin; SET LOCAL app.user = ?; select a from t"],
  ["/* x */ SET x TO SECRET", "SET x TO ?"],
  ["SET x TO DEFAULT", "SET x TO DEFAULT"],
  ["SET enable_seqscan = off", "SET enable_seqscan = off"],
  ["ALTER ROLE app SET app.key TO SECRET", "ALTER ROLE app SET app.key TO ?"],
  ["ALTER ROLE app IN DATABASE d SET k = SECRET", "ALTER ROLE app IN DATABASE d SET k = ?"],
  ["ALTER DATABASE d SET app.key = SECRET", "ALTER DATABASE d SET app.key = ?"],
  ["ALTER SYSTEM SET ssl_passphrase_command = SECRET", "ALTER SYSTEM SET ssl_passphrase_command = ?"],
  ["ALTER FUNCTION f(int) SET k TO SECRET", "ALTER FUNCTION f(int) SET k TO ?"],
  [
    "CREATE OR REPLACE FUNCTION f(a int = b) RETURNS int SET k TO SECRET",
    "CREATE OR REPLACE FUNCTION f(a int = b) RETURNS int SET k TO ?",
  ],
])("the value of a setting is redacted: %s", (text, redacted) => {
  expect(redactSql(text)).toBe(redacted);
});

test.each([
  "SET ROLE tenant",
  "SET SESSION AUTHORIZATION tenant",
  "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
  "SET TIME ZONE UTC",
  "update t set a = b, c = d where e = f",
  "alter table t rename to u",
  "alter table t alter column a set default b",
  "grant select on t to app",
  "insert into t (a) values (b) on conflict (a) do update set a = excluded.a",
  "create table t (password text, options text)",
  "select password from users",
])("names behind TO and = of other statements stay: %s", (text) => {
  expect(redactSql(text)).toBe(text);
});

test.each([
  ["CREATE ROLE app LOGIN PASSWORD SECRET", "CREATE ROLE app LOGIN PASSWORD ?"],
  ['ALTER ROLE app PASSWORD "SECRET"', "ALTER ROLE app PASSWORD ?"],
  [
    "ALTER USER app WITH ENCRYPTED PASSWORD 'SECRET' VALID UNTIL 'x'",
    "ALTER USER app WITH ENCRYPTED PASSWORD ? VALID UNTIL ?",
  ],
  ["ALTER USER app PASSWORD NULL", "ALTER USER app PASSWORD NULL"],
  [
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'bob', password 'SECRET')",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user ?, password ?)",
  ],
  [
    'CREATE USER MAPPING FOR app SERVER s OPTIONS (user bob, password "SECRET")',
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user ?, password ?)",
  ],
  [
    "ALTER USER MAPPING FOR app SERVER s OPTIONS (SET password SECRET, ADD token SECRET, DROP user)",
    "ALTER USER MAPPING FOR app SERVER s OPTIONS (SET password ?, ADD token ?, DROP user)",
  ],
  [
    'CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host "SECRET")',
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host ?)",
  ],
  [
    'CREATE SUBSCRIPTION s CONNECTION "password=SECRET" PUBLICATION p',
    "CREATE SUBSCRIPTION s CONNECTION ? PUBLICATION p",
  ],
  ["COPY t TO PROGRAM 'curl SECRET'", "COPY t TO PROGRAM ?"],
  [
    'COPY t (a, "b") FROM PROGRAM "curl SECRET" WITH (FORMAT csv)',
    'COPY t (a, "b") FROM PROGRAM ? WITH (FORMAT csv)',
  ],
  ['COPY (select a from "t") TO "s3://SECRET"', 'COPY (select a from "t") TO ?'],
  ["COPY t FROM STDIN", "COPY t FROM STDIN"],
  ['NOTIFY channel, "SECRET"', "NOTIFY channel, ?"],
  ['COMMENT ON TABLE "t" IS "SECRET"', 'COMMENT ON TABLE "t" IS ?'],
])("a secret of a definition is redacted: %s", (text, redacted) => {
  expect(redactSql(text)).toBe(redacted);
});

test.each([
  ['select a from t where p = "SECRET"', "select a from t where p = ?"],
  ['where p <> "SECRET" or p >= "SECRET" and q like "SECRET%"', "where p <> ? or p >= ? and q like ?"],
  [
    'where p ~ "SECRET" or p !~* "SECRET" or p similar to "SECRET"',
    "where p ~ ? or p !~* ? or p similar to ?",
  ],
  ['where p in ("SECRET", "SECRET")', "where p in (?)"],
  [
    'insert into "t" ("a", "b") values ("SECRET", now()), (1, "SECRET")',
    'insert into "t" ("a", "b") values (?, now()), (?)',
  ],
  ['update "t" set "a" = "SECRET" where "id" = 1', 'update "t" set "a" = ? where "id" = ?'],
  ['where p = U&"SECRET"', "where p = ?"],
])("text in double quotes is redacted where a string belongs: %s", (text, redacted) => {
  expect(redactSql(text)).toBe(redacted);
});

test.each([
  'select "t"."a", "b" from "t" join "u" on "t"."id" = "u"."id"',
  'update "t" set "count" = "count" + ?',
  'where "a" = "f"(?)',
  'where a = "s" . "t"',
  'where a in (select "id" from "u")',
  'insert into t values (lower("a"))',
  'select f("a", "b"), "a" * "b"',
  'order by "a", "b"',
])("names in double quotes stay where names belong: %s", (text) => {
  expect(redactSql(text)).toBe(text);
});

describe("with standard_conforming_strings", () => {
  const text = "select 'it\\'s SECRET', a, '\\\\', b, 'x\\''";

  test.each([
    ["off", text, "select ?, a, ?, b, ?"],
    ["off", "select N'it\\'s SECRET' where a = B'0\\' or c", "select ? where a = ? or c"],
    ["off", "select $$it\\$$, a", "select ?, a"],
    ["on", "select '\\', a, '\\'", "select ?, a, ?"],
    ["unknown", text, "select ?"],
    ["unknown", "select 'a\\n', b, 'it''s', c", "select ?, b, ?, c"],
    ["unknown", "select 'a\\\\', b", "select ?, b"],
    ["unknown", "select E'it\\'s', b", "select ?, b"],
    ["unknown", "select a where b = '\\' or c = 'SECRET'", "select a where b = ?"],
  ] as const)("%s, strings end where the server ends them: %s", (strings, sql, redacted) => {
    expect(redactSql(sql, strings)).toBe(redacted);
  });

  test("off or unknown, no part of any string is seen", () => {
    const inside = fc
      .array(fc.constantFrom("\\'", "\\\\", "''", "\\n", "lit", " -- ", '"', "$$", "/*", " "), {
        maxLength: 8,
      })
      .map((parts) => `lit${parts.join("")}lit`);
    const sql = fc
      .array(fc.tuple(fc.constantFrom("", "N", "E"), inside), { minLength: 1, maxLength: 5 })
      .map((strings) => `select ${strings.map(([kind, text]) => `${kind}'${text}'`).join(", a, ")}, b`);
    fc.assert(
      fc.property(sql, fc.constantFrom("off" as const, "unknown" as const), (text, strings) => {
        const redacted = redactSql(text, strings);
        expect(redacted).not.toContain("lit");
        if (strings === "off") expect(redacted).toMatch(/^select \?(, a, \?)*, b$/);
      }),
      { numRuns: 5_000 },
    );
  });
});

// A statement whose value may be written in any form that PostgreSQL, or another database, knows.
const secret = fc.stringMatching(/^zq[0-9a-f]{6}$/);
const quoted = secret.map((text) => `"${text} x"`);
const literal = secret.map((text) => `'${text}'`);
const word = secret;
const any = fc.oneof(quoted, literal, word);
const blank = fc.constantFrom(" ", "\n", " /* c */ ", "\t-- c\n");
const statement = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        "SET app.k",
        "SET LOCAL k",
        "SET SESSION k",
        "ALTER ROLE r SET k",
        "ALTER DATABASE d SET k",
        "ALTER SYSTEM SET k",
      ),
      fc.constantFrom("=", "TO", "to"),
      any,
      any,
    )
    .map(([start, sign, one, two]) => [start, sign, `${one},`, two]),
  fc
    .tuple(fc.constantFrom("CREATE ROLE r", "ALTER USER r WITH"), any)
    .map(([start, one]) => [start, "PASSWORD", one]),
  fc
    .tuple(any, any)
    .map(([one, two]) => [
      "CREATE USER MAPPING FOR r SERVER s OPTIONS (",
      `user ${one},`,
      "password",
      two,
      ")",
    ]),
  fc
    .tuple(fc.constantFrom("=", "<>", "<", ">=", "LIKE", "ILIKE", "~"), fc.oneof(quoted, literal))
    .map(([sign, one]) => ["SELECT a FROM t WHERE p", sign, one]),
  fc
    .array(fc.oneof(quoted, literal), { minLength: 1, maxLength: 4 })
    .map((all) => ["INSERT INTO t (a) VALUES (", all.join(","), "), (", all.join(", "), ")"]),
  fc
    .array(fc.oneof(quoted, literal), { minLength: 1, maxLength: 4 })
    .map((all) => ["DELETE FROM t WHERE p IN (", all.join(","), ")"]),
  fc.oneof(quoted, literal, word).map((one) => ["COPY t TO PROGRAM", one]),
);
const program = fc
  .tuple(fc.array(statement, { minLength: 1, maxLength: 3 }), blank)
  .map(([statements, between]) => statements.map((parts) => parts.join(between)).join(";"));

test("no value of any statement is seen, and a redacted text is redacted to itself", () => {
  fc.assert(
    fc.property(
      program,
      fc.constantFrom("on" as const, "off" as const, "unknown" as const),
      (text, strings) => {
        const redacted = redactSql(text, strings);
        expect(redacted).not.toContain("zq");
        expect(redactSql(redacted, strings)).toBe(redacted);
      },
    ),
    { numRuns: 10_000 },
  );
});
