import fc from "fast-check";
import { expect, test } from "vitest";
import { OPERATION_NAMES, operationName } from "../../src/queries/operation-name.ts";

test("every verb is found in any letter case, whatever blank, bracket or comment ends it", () => {
  for (const verb of OPERATION_NAMES) {
    const capitalized = verb[0] + verb.slice(1).toLowerCase();
    for (const word of [verb, verb.toLowerCase(), capitalized]) {
      for (const rest of ["", " x", "\nx", "\tx", "(2)", ";", "/**/x", "--x", "'x'", '"x"', "*", "."]) {
        expect(operationName(word + rest), word + rest).toBe(verb);
      }
    }
  }
  expect(new Set(OPERATION_NAMES).size).toBe(OPERATION_NAMES.length);
});

test.each([
  ["  \r\n\t\f\vselect 1", "SELECT"],
  ["-- update\nselect 1", "SELECT"],
  ["--update\rselect 1", "SELECT"],
  ["/* update /* nested */ delete */ select 1", "SELECT"],
  ["/*/* */*/select 1", "SELECT"],
  ["/***/ -- x\n /**/select 1", "SELECT"],
  ["((select 1) union (select 2))", "SELECT"],
  [";;\n; commit", "COMMIT"],
  ["( -- x\n ( /* y */ values (1)))", "VALUES"],
  ["analyse verbose", "ANALYZE"],
  ["select 1; delete from t", "SELECT"],
  ["explain analyze delete from t", "EXPLAIN"],
])("the verb of %j is %s", (text, verb) => expect(operationName(text)).toBe(verb));

test.each([
  "",
  "   ",
  "(",
  ";",
  "selectx",
  "select1",
  "select_",
  "select$",
  "select$1$x$1$",
  "selecté",
  "éselect",
  "sele",
  "deallocatee",
  "deallocatedeallocate",
  "x".repeat(10_000),
  "ſelect 1", // "ſ".toUpperCase() is "S"
  "\u212Aopy", // a Kelvin sign
  '"select"',
  "'select'",
  "$1 select",
  "- select",
  "/ select",
  "/* select",
  "-- select",
  "/* /* */ select",
  "with",
  "foo bar",
  "\uFEFFselect 1",
])("%j has no verb", (text) => expect(operationName(text)).toBeUndefined());

test.each([
  ["with a as (select 1) select * from a", "SELECT"],
  ["WITH RECURSIVE a AS (SELECT 1) DELETE FROM t", "DELETE"],
  ["with a as(select 1)update t set x = 1", "UPDATE"],
  ["with a as (select 1) merge into t using a on true when matched then delete", "MERGE"],
  ["with a as (select 1) values (2)", "VALUES"],
  ["with a as (select 1) table a", "TABLE"],
  ["with/**/a--\nas/*)*/(select 1)/*,*/insert into t table a", "INSERT"],
  ["with a (x, y) as (select 1, 2), b as (delete from t returning *) update t set z = 1", "UPDATE"],
  ["with a as materialized (select 1), b as not materialized (select 2) delete from t", "DELETE"],
  ["with a as (select ')' || '''), b as (select') insert into t table a", "INSERT"],
  ["with a as (select E'\\') select ') delete from t", "DELETE"],
  ["with a as (select '\\') delete from t where x = ') select '", "DELETE"],
  ["with a as (select U&'\\' uescape '!') delete from t", "DELETE"],
  ["with a as (select E'x'\n'\\') select ') delete from t", "DELETE"],
  ["with a as (select $$)$$, $x$ ) $$ ) $x$) delete from t", "DELETE"],
  ["with a as (select x$1$ from t) delete from u where x$1$ = 1", "DELETE"],
  ['with a as (select 1 as ") select""") delete from t', "DELETE"],
  ["with a as (select /* ) /* ) */ select */ 1) delete from t", "DELETE"],
  ["with a as (select 1 -- ) select\n) delete from t", "DELETE"],
  ["with a as (select 1) (select 2)", "SELECT"],
  ["with a as (select 1) ((with b as (select 2) values (3)))", "VALUES"],
  ["(with a as (select 1) select 1)", "SELECT"],
  ["with a as (with b as (select 1) delete from t returning *) update t set x = 1", "UPDATE"],
  // Names that read like verbs.
  ['with "select" as (select 1) delete from t', "DELETE"],
  ['with U&"select" as (select 1) delete from t', "DELETE"],
  ["with values as (select 1) delete from t", "DELETE"],
  ["with insert (a) as (select 1) delete from t", "DELETE"],
  ["with update(delete, merge) as (select 1), values as (select 1) insert into t select 1", "INSERT"],
  ["with recursive as (select 1) delete from t", "DELETE"],
  ["with recursive (a) as (select 1) delete from t", "DELETE"],
  ["with recursive recursive as (select 1) delete from t", "DELETE"],
  ["with materialized as (select 1) delete from t", "DELETE"],
  // SEARCH and CYCLE bring column names of their own.
  ["with recursive a as (select 1) search depth first by x, values set delete select 1", "SELECT"],
  ["with recursive a as (select 1) search breadth first by set set insert, b as (select 2) table b", "TABLE"],
  ["with recursive a as (select 1) cycle x, update set merge using delete values (1)", "VALUES"],
  [
    "with recursive a as (select 1) cycle x set y to unknown 'using ' default f(1) 'n' using delete select 1",
    "SELECT",
  ],
  [
    "with recursive a as (select 1) search depth first by x set y cycle x set z using p delete from t",
    "DELETE",
  ],
])("the verb of %j is that of its main statement, %s", (text, verb) => {
  expect(operationName(text)).toBe(verb);
});

test.each([
  "with select 1",
  "with a select 1",
  "with a as select 1",
  "with a aſ (select 1) select 1",
  "with a as (select 1",
  "with a as (select ') select 1",
  "with a as (select $x$) select 1",
  "with a as (select 1)",
  "with a as (select 1) selects",
  "with a as (select 1), select 1",
  "with a as (select 1); select 1",
  "with a as (select 1)) select 1",
  "with a as (select 1) commit",
  "with a as (select 1) b as (select 2) select 1",
  "with a as (select 1) search x select 1",
  "with a as (select 1) search depth first by x setting select 1",
  "with a as (select 1) cycle x set y to 1 default 2 select 1",
  "with a as (select 1) with",
])("where %j leads is not guessed", (text) => expect(operationName(text)).toBeUndefined());

const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(...OPERATION_NAMES),
      fc.constantFrom("with", "recursive", "as", "not", "materialized", "search", "cycle", "set", "using"),
      fc.constantFrom("(", ")", ",", ";", "'", '"', "$$", "$a$", "$1", "E'", "U&'", "\\", "--", "/*", "*/"),
      fc.constantFrom(" ", "\n", "a", "a(b) as (", ") as (", "1e-5"),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 40 },
  )
  .chain((parts) => fc.constantFrom("", " ").map((between) => parts.join(between)));

test("any text has a verb of the closed list or none", () => {
  const names = new Set<string | undefined>([...OPERATION_NAMES, undefined]);
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), soup);
  fc.assert(
    fc.property(text, fc.constantFrom("", "with ", "with a as ("), (rest, start) => {
      expect(names).toContain(operationName(start + rest));
    }),
    { numRuns: 2_000 },
  );
});

// A statement as PostgreSQL's grammar has it, with blanks, comments and strings that try to look like another one.
const blank = fc.constantFrom(
  " ",
  "\n",
  "\t",
  " -- ) select (\n",
  "/* ) select ' */",
  " /* /* ( */ delete */ ",
);
const name = fc.constantFrom(
  "a",
  "values",
  "insert",
  "Delete",
  "merge",
  "search",
  '"select"',
  '") table ("',
  "é$x$",
);
const names = fc.array(name, { minLength: 1, maxLength: 3 }).map((list) => list.join(","));
const expression = fc.constantFrom(
  "')'",
  "''') select '",
  "'\\'",
  "E'\\') select ('''",
  "U&'(\\' uescape '!'",
  "$$) select ($$",
  "$t$ ) $$ ' $t$",
  '") select "',
  "(1 + (2))",
  "/* ' */ 1.5e-3",
  "x$1$",
);
const body = fc
  .array(expression, { maxLength: 4 })
  .map((list) => `(delete from t returning ${["(values (1))", ...list].join(" , ")})`);
const cte = fc
  .record({
    name,
    columns: fc.option(names),
    as: fc.constantFrom("as ", "AS materialized ", "as not materialized "),
    body,
    search: fc.option(fc.tuple(names, name)),
    cycle: fc.option(fc.tuple(names, name, fc.constantFrom("", "to 'a' default date '1' "), name)),
  })
  .map((part) => {
    const columns = part.columns === null ? "" : `(${part.columns})`;
    const search = part.search && ` search depth first by ${part.search[0]} set ${part.search[1]}`;
    const [by, mark, values, path] = part.cycle ?? [];
    const cycle = part.cycle && ` cycle ${by} set ${mark} ${values}using ${path}`;
    return `${part.name} ${columns} ${part.as}${part.body}${search ?? ""}${cycle ?? ""}`;
  });
const mainVerb = fc.constantFrom("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE");

test("any WITH has the verb of its main statement", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("with", "WITH recursive"),
      fc.array(cte, { minLength: 1, maxLength: 4 }),
      fc.array(blank, { minLength: 4, maxLength: 4 }),
      mainVerb,
      (start, ctes, [first, second, third, last], verb) => {
        const text = `${start}${first}${ctes.join(`${second},${third}`)}${last}${verb.toLowerCase()} x`;
        expect(operationName(text), text).toBe(verb);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("no text takes longer than its length asks for", () => {
  const pieces = [
    "(",
    ";",
    " ",
    "/*",
    "/**/",
    "--\n",
    "-",
    "x",
    "select",
    "with ",
    "with a as (",
    "with a as (b)(",
  ];
  const within = [
    "(",
    ")",
    "'",
    "''",
    "E'\\'",
    '"',
    '""',
    "$a",
    "$a$b",
    "$",
    "U&",
    'U&"',
    "'\n",
    "1e-",
    "x ",
    ". ",
  ];
  const began = performance.now();
  for (const piece of pieces) operationName(piece.repeat(200_000));
  for (const piece of within) {
    for (const start of ["with a as (", "with a", "with a as (b) cycle c set d to "]) {
      operationName(start + piece.repeat(200_000));
    }
  }
  // About half a second of work; anything quadratic would take many minutes.
  expect(performance.now() - began).toBeLessThan(20_000);
});
