import fc from "fast-check";
import { expect, test } from "vitest";
import { fingerprintOf, redactSql } from "../../src/queries/redact-sql.ts";

test.each([
  ["strings", "select 'a', 'it''s', '', N'x', B'01', X'1F'", "select ?, ?, ?, ?, ?, ?"],
  ["strings right behind a word", "select date'2020-01-01', e'x', tE'x\\'", "select date?, ?, tE?"],
  ["a backslash in an ordinary string", "select '\\', a, '\\'", "select ?, a, ?"],
  ["escapes in E''", "select E'a\\'b', e'\\\\', E'\\\\''x', a", "select ?, ?, ?, a"],
  ["U&''", "select U&'d\\0061', u&'!0061' uescape '!', U&'\\', U & 'x'", "select ?, ?, ?, U & ?"],
  ["strings over several lines", "select 'a'\n  -- 'x'\n 'b', E'a'\r'\\'b', a", "select ?, ?, a"],
  ["strings that only follow each other", "select 'a' 'b', 'a'/*\n*/'b'", "select ? ?, ? ?"],
  ["dollar quotes", "select $$it's$$, $a$ $$ $b$ $A$ ' $a$, $é1$x$é1$", "select ?, ?, ?"],
  ["a dollar within a name", "select a$b$, c from t$$, u$$", "select a$b$, c from t$$, u$$"],
  ["a dollar quote right behind a number", "select 1$$x$$, $1$b$x$b$", "select ??, ??"],
  ["numbers", "select 1, 1.5, .5, 1., 1e-9, 1E+9, 1.5e3, 0x1F, 0b01, 0o7", `select ?${", ?".repeat(9)}`],
  ["numbers in groups", "select 1_000_000, 0x_ff, 1_0.0_1", "select ?, ?, ?"],
  ["arithmetic", "select 1-2, 0x1E-5, 1e-x, -1, +2", "select ?-?, ?-?, ?-x, -?, +?"],
  ["letters behind digits", "where id = 3f2504e0 or x = $1abc", "where id = ? or x = ?"],
  ["parameters", "where a = $1 and b = $12::int", "where a = ? and b = ?::int"],
  ["digits in names", "select t1.col_2, é3 from t1", "select t1.col_2, é3 from t1"],
  ["true, false and null", "select TRUE, false, null", "select TRUE, false, null"],
  ["quoted names", `select "a'b", "x""1", "--", U&"d\\0061", "" from "T 1"`, null],
  [
    "operators",
    "where a->>'b' @> '{}' and c <> 1 and d::text ~* 'x'",
    "where a->>? @> ? and c <> ? and d::text ~* ?",
  ],
  [
    "the operators with a question mark",
    "where a ? 'b' and a ?| array['b','c']",
    "where a ? ? and a ?| array[?]",
  ],
  ["comments", "/* a */ select -- 1\r\n 2 /* b /* c */ ' */, 'x' --", "select ?, ?"],
  [
    "comments in place of blanks",
    "select/**/a from-- x\nt where 1-/**/-1=x",
    "select a from t where ?- -?=x",
  ],
  ["white space", " \t select\n\n  a ,\v b\f from\r\nt (\n x\n )", "select a, b from t (x)"],
  ["semicolons at the end", "begin; select 1 ; ; -- x\n;", "begin; select ?"],
  [
    "control characters",
    'a\0b\u0001c\u007Fd "e\nf\u0085\u2028" g\u0085',
    'a b c d "e\uFFFDf\uFFFD\uFFFD" g\uFFFD',
  ],
  ["halves of a surrogate pair", 'a "\uD83D" \uDE00 "\u{1F600}"', 'a "\uFFFD" \uFFFD "\u{1F600}"'],
  ["nothing", "", ""],
  ["nothing but comment", " -- select 1", ""],
])("redacts %s", (_, text, redacted) => {
  expect(redactSql(text)).toBe(redacted ?? text);
  expect(redactSql(redactSql(text))).toBe(redacted ?? text);
});

test.each([
  ["a list of literals", "a in (1, 'b',$3 ,\n -4, - 5, +6)", "a in (?)"],
  ["a list within brackets", "(a, (1), f(1, 2))", "(a, (?), f(?))"],
  ["an array", "ARRAY[1, 2], array[[1, 2], [3, 4]]", "ARRAY[?], array[[?]]"],
  ["rows of literals", "values (1, 'a'), (2,'b'),\n(3 , 'c')", "values (?)"],
  [
    "rows that are alike",
    "values (DEFAULT, $1, now()), (DEFAULT, $3, now()) returning a",
    "values (DEFAULT, ?, now()) returning a",
  ],
  [
    "rows in brackets",
    "in ((1, 2), (3, 4)) and (a, b) in ((f(1)), (f(2)))",
    "in ((?)) and (a, b) in ((f(?)))",
  ],
])("folds %s", (_, text, redacted) => {
  expect(redactSql(text)).toBe(redacted);
});

test.each([
  "(a, ?)",
  "(?, null)",
  "select ?, ?",
  "(? ?, ?)",
  "(?, ?]",
  "f(a), g(a)",
  "(?) (?)",
  "(a), (b), (a)",
  "(?, a), (b)",
  "), (),] [",
])("does not fold %j", (text) => {
  expect(redactSql(text)).toBe(text);
});

test.each(["'", "E'", "U&'", "$$", "$a$", '"', "x'", "'a'\n'", "'a''", "E'\\'"])(
  "what %j opens and nothing closes is a literal to the end",
  (open) => {
    const redacted = redactSql(`select a = ${open} secret /* -- $ (1), (2)`);
    expect(redacted).toMatch(/^select a = x?\?$/);
  },
);

test("a comment that nothing closes goes to the end", () => {
  expect(redactSql("select a /* b /* c */ ' d")).toBe("select a");
});

test("a long text is cut between words, and says so", () => {
  const columns = Array.from({ length: 200 }, (_, index) => `"column ${index}"`);
  const redacted = redactSql(`select ${columns.join(", ")} from t`);
  expect(redacted.length).toBeGreaterThan(480);
  expect(redacted.length).toBeLessThanOrEqual(500);
  expect(redacted).toMatch(/"column \d+"(, )?…$|"column \d+",…$/);
  expect(redactSql("a".repeat(500))).toBe("a".repeat(500));
  expect(redactSql(`${"a".repeat(499)} b`)).toBe(`${"a".repeat(499)}…`);
  expect(redactSql(`a ${"b".repeat(499)}`)).toBe("a…");
  expect(redactSql(`${"a".repeat(500)} b`)).toBe("…");
  expect(redactSql("a".repeat(501))).toBe("…");
});

test("lists are folded before the text is cut", () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => index);
  expect(redactSql(`select * from t where id in (${ids.join(", ")}) and b`)).toBe(
    "select * from t where id in (?) and b",
  );
});

test("a text too long to be read has the same redacted text wherever reading stopped", () => {
  for (let length = 1; length < 40; length++) {
    const row = `(${"1".repeat(length)}, 'secret ''${"x".repeat(length)}', E'\\'') `;
    const rows = Array.from({ length: 4_000 }, () => row).join(", ");
    expect(redactSql(`insert into t values ${rows}`)).toMatch(/^insert into t values \(\?\),?…$/);
    const ids = Array.from({ length: 20_000 }, (_, index) => index * length);
    expect(redactSql(`select * from t where id = any(array[${ids.join(",")}])`)).toBe(
      "select * from t where id = any(array…",
    );
    expect(redactSql(`${"-".repeat(length)}\nselect '${"secret".repeat(5_000)}', a`)).toMatch(
      /^(-\n)?\W*select \?…$/,
    );
  }
});

test("the fingerprint is sixteen hexadecimal digits, and the same in any letter case", () => {
  const fingerprint = fingerprintOf(redactSql("SELECT * FROM t WHERE id = 1"));
  expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
  expect(fingerprintOf(redactSql("select *\nfrom T where id = $1"))).toBe(fingerprint);
  expect(fingerprintOf(redactSql("select * from u where id = $1"))).not.toBe(fingerprint);
});

// SQL in which every literal and every comment carries a marker that may not be seen again.
const marker = fc.stringMatching(/^lit[0-9a-f]{6}$/);
/** What a string may hold and a lexer may stumble on. */
const noise = fc.constantFrom(
  "",
  " ",
  "--",
  "/*",
  "*/",
  '"',
  "$$",
  "$1",
  "(",
  ")",
  "\n",
  "?",
  ";",
  "é",
  "\u{1F600}",
  "\0",
);
const inside = fc.tuple(noise, marker, noise, marker, noise).map((parts) => parts.join(""));
const plainInside = fc
  .tuple(inside, fc.constantFrom("", "''", "\\", "'''' x", "\\''"))
  .map((parts) => parts.join(""));
const escapedInside = fc
  .array(fc.oneof(inside, fc.constantFrom("\\'", "''", "\\\\", "\\n", "\\\\\\'")), { maxLength: 4 })
  .map((parts) => parts.join(""));
const tag = fc.constantFrom("", "a", "fn_1", "É", "lit_tag");

const stringLiteral = fc.oneof(
  fc
    .tuple(fc.constantFrom("", "N", "n", "B", "b", "X", "x"), plainInside)
    .map(([kind, text]) => `${kind}'${text}'`),
  fc.tuple(fc.constantFrom("U&", "u&"), plainInside).map(([kind, text]) => `${kind}'${text}'`),
  plainInside.map((text) => `U&'${text}' UESCAPE '!'`),
  fc.tuple(fc.constantFrom("E", "e"), escapedInside).map(([kind, text]) => `${kind}'${text}'`),
  fc.tuple(plainInside, plainInside).map(([first, second]) => `'${first}' -- ' \n '${second}'`),
  fc.tuple(escapedInside, escapedInside).map(([first, second]) => `E'${first}'\n'${second}'`),
  fc.tuple(tag, inside, fc.constantFrom("", "'", "\\", "$", "$b$", "$a")).map(([name, text, more]) => {
    const delimiter = `$${name}$`;
    return delimiter + `${text}${more} `.replaceAll(delimiter, "") + delimiter;
  }),
);
const digits = fc.stringMatching(/^[1-9][0-9]{5,12}$/);
const numberLiteral = fc
  .tuple(
    digits,
    digits,
    fc.constantFrom<(first: string, second: string) => string>(
      (first) => first,
      (first, second) => `${first}.${second}`,
      (first) => `.${first}`,
      (first) => `${first}.`,
      (first, second) => `${first}e-${second}`,
      (first, second) => `${first}.${second}E+${second}`,
      (first, second) => `0x${first}AB_CDEF${second}`,
      (first, second) => `${first}_${second}`,
      (first) => `0b${first}`,
      (first) => `-${first}`,
      (first) => `$${first}`,
    ),
  )
  .map(([first, second, write]) => write(first, second));
const comment = fc.oneof(
  inside.map((text) => `--${text.replaceAll("\n", "")}'\n`),
  inside.map((text) => `/*${text.replaceAll(/\/\*|\*\//g, "")} ' " $$ */`),
  inside.map(
    (text) => `/* ' /* ${text.replaceAll(/\/\*|\*\//g, "")}*/ ${text.replaceAll(/\/\*|\*\//g, "")} */`,
  ),
);
const name = fc.constantFrom(
  "a",
  "t1",
  "e",
  "n",
  "U",
  "x$1$",
  "a$b$",
  `"it's"`,
  '"--"',
  '"/*"',
  '"a""b"',
  "null",
  '"\n"',
  "é",
);
const blank = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(" ", "", "\n", "\t ") }, comment);
// An operator stands between any two, or two strings in two lines would be one.
const operator = fc.constantFrom(
  ",",
  ",",
  ",",
  "(",
  ")",
  "), (",
  "),(",
  "[",
  "]",
  "=",
  "||",
  "->>",
  " and ",
  ";",
  " in (",
  "array[",
);
const operand = fc.oneof(stringLiteral, numberLiteral, name);
const sql = fc
  .array(fc.tuple(operand, blank, operator, blank), { maxLength: 14 })
  .map((parts) => `select ${parts.flat().join("")} 1`);

function expectOneShortLine(redacted: string): void {
  expect(redacted.length).toBeLessThanOrEqual(500);
  expect(redacted).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  expect(redacted).not.toMatch(/^ | $/);
}

test("no literal and no comment of any SQL is seen again", () => {
  fc.assert(
    fc.property(sql, (text) => {
      const redacted = redactSql(text);
      expect(redacted).not.toMatch(/lit|[0-9]{2}|cdef/i);
      expect(redacted).toMatch(/^select /);
      expectOneShortLine(redacted);
    }),
    { numRuns: 4_000 },
  );
});

test("names and keywords of any SQL are still there, in their order", () => {
  // Without lists nothing is folded: what is left are the names, and a question mark for each literal.
  const part = fc.oneof(
    fc.record({
      text: fc.oneof(
        stringLiteral,
        numberLiteral.map((text) => text.replace("-", "")),
      ),
      seen: fc.constant("?"),
    }),
    name.filter((text) => !text.includes("\n")).map((text) => ({ text, seen: text })),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(part, blank, blank), { minLength: 1, maxLength: 14 }), (parts) => {
      const text = parts.map(([{ text }, before, after]) => `${before}${text}${after}`).join("+");
      const expected = parts.map(([{ seen }]) => seen).join("+");
      expect(redactSql(text).replaceAll(/ ?\+ ?/g, "+")).toBe(expected);
    }),
    { numRuns: 2_000 },
  );
});

const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "select",
        "?",
        "UESCAPE",
        "e",
        "E",
        "1",
        "1e",
        "x1",
        "(",
        ")",
        "[",
        "]",
        ",",
        ";",
        "-",
        "+",
        ".",
      ),
      fc.constantFrom(
        "'",
        '"',
        "''",
        "\\",
        "$",
        "$$",
        "$a$",
        "$1",
        "E'",
        "U&'",
        'U&"',
        "--",
        "/*",
        "*/",
        "*",
        "/",
      ),
      fc.constantFrom(
        " ",
        "\n",
        "\r",
        "\0",
        "\u0085",
        "\u2028",
        "\uD83D",
        "…",
        "é",
        "(?), ",
        "(a), ",
        "w".repeat(90),
      ),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));
const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), soup);

test("any text becomes one short line", () => {
  fc.assert(
    fc.property(anyText, (text) => expectOneShortLine(redactSql(text))),
    { numRuns: 3_000 },
  );
});

test("a redacted text is redacted to itself", () => {
  fc.assert(
    fc.property(fc.oneof(sql, anyText), (text) => {
      const redacted = redactSql(text);
      expect(redactSql(redacted)).toBe(redacted);
    }),
    { numRuns: 6_000 },
  );
});

test("a long text is cut anywhere without a literal being seen", () => {
  fc.assert(
    fc.property(
      sql,
      fc.integer({ min: 0, max: 400 }),
      fc.constantFrom("/**/", "w "),
      (text, rest, filler) => {
        const start = filler.repeat((20_000 - rest) / filler.length);
        const redacted = redactSql(`${start}${text}${" a".repeat(400)}`);
        expect(redacted).not.toMatch(/lit|[0-9]{2}|cdef/i);
        expect(redacted).toMatch(/…$/);
        expectOneShortLine(redacted);
        expect(redactSql(redacted)).toBe(redacted);
      },
    ),
  );
});
