import { isWordPart, skipBlank, skipName, skipToken } from "./sql-scanner.ts";

/** What may follow the common table expressions of a WITH. */
const MAIN_VERBS = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"];

/** The commands of PostgreSQL by their first word: a closed list, because it becomes the values of a label. */
export const OPERATION_NAMES: readonly string[] = [
  ...MAIN_VERBS,
  ...["COPY", "CALL", "DO", "PREPARE", "EXECUTE", "DEALLOCATE", "DECLARE", "FETCH", "MOVE", "CLOSE"],
  ...["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"],
  ...["SET", "RESET", "SHOW", "DISCARD", "LISTEN", "UNLISTEN", "NOTIFY", "LOCK"],
  ...["EXPLAIN", "ANALYZE", "VACUUM", "REINDEX", "CLUSTER", "CHECKPOINT", "REFRESH", "TRUNCATE"],
  ...["CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "REASSIGN", "SECURITY", "IMPORT", "LOAD"],
];

const WITH = "WITH";

/** By five bits a letter: a number holds the ten of DEALLOCATE exactly, and that of any longer word is greater. */
const VERBS: ReadonlyMap<number, string> = new Map([
  ...[...OPERATION_NAMES, WITH].map((name): [number, string] => [keyOf(name), name]),
  [keyOf("ANALYSE"), "ANALYZE"],
]);

function keyOf(word: string): number {
  let key = 0;
  for (let place = 0; place < word.length; place++) key = key * 32 + (word.charCodeAt(place) & 31);
  return key;
}

/**
 * The verb of an SQL statement, one of {@link OPERATION_NAMES}: the first word, or behind a `WITH` the verb of the main
 * statement. Of several statements the first counts. Undefined where that is not certain. Every query comes through
 * here, so a statement that begins with its verb costs no string and no regular expression.
 */
export function operationName(text: string): string | undefined {
  let at = statementStart(text, 0);
  let verb = verbAt(text, at);
  if (verb !== WITH) return verb;
  while (verb === WITH) {
    at = statementStart(text, afterCtes(text, skipBlank(text, at + WITH.length)));
    verb = verbAt(text, at);
  }
  return verb !== undefined && MAIN_VERBS.includes(verb) ? verb : undefined;
}

/** Past blanks, comments, and the `(` and `;` that may stand in front of a statement. */
function statementStart(text: string, from: number): number {
  for (let at = from; ; ) {
    const code = text.charCodeAt(at);
    if (code <= 32 || code === 40 || code === 59) {
      at++;
    } else if (code === 45 || code === 47) {
      const next = skipBlank(text, at);
      if (next === at) return at;
      at = next;
    } else {
      return at;
    }
  }
}

let lastKey = 0;
let lastVerb: string | undefined;

/** Mostly it is that of the query before: a look into the map costs 60 ns. */
function verbOf(key: number): string | undefined {
  if (key !== lastKey) {
    lastVerb = VERBS.get(key);
    lastKey = key;
  }
  return lastVerb;
}

function verbAt(text: string, from: number): string | undefined {
  let key = 0;
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    const small = code | 32;
    if (small < 97 || small > 122) return isWordPart(code) ? undefined : verbOf(key);
    key = key * 32 + (code & 31);
  }
}

// The grammar of WITH, https://www.postgresql.org/docs/current/sql-select.html#SQL-WITH. Each function takes the place
// of a token and returns the place of the one behind its own part. Where the text is not as it should be, that is the
// end of the text, where nothing matches any more.

function afterCtes(sql: string, from: number): number {
  let at = from;
  if (isWord(sql, at, "recursive")) {
    const next = afterName(sql, at);
    // `WITH recursive AS (…)` names a query so.
    if (sql[next] !== "(" && !isWord(sql, next, "as")) at = next;
  }
  at = afterCte(sql, at);
  while (sql[at] === ",") at = afterCte(sql, skipBlank(sql, at + 1));
  return sql[at] === ";" ? sql.length : at;
}

function afterCte(sql: string, from: number): number {
  // Whatever stands here is the name, also if it reads `values` or `delete`.
  let at = afterName(sql, from);
  if (sql[at] === "(") at = afterGroup(sql, at);
  at = afterWord(sql, at, "as");
  if (isWord(sql, at, "not")) at = afterName(sql, at);
  if (isWord(sql, at, "materialized")) at = afterName(sql, at);
  at = afterGroup(sql, at);
  if (isWord(sql, at, "search")) at = afterSearch(sql, at);
  if (isWord(sql, at, "cycle")) at = afterCycle(sql, at);
  return at;
}

/** `SEARCH DEPTH|BREADTH FIRST BY column, … SET column` */
function afterSearch(sql: string, from: number): number {
  const order = afterName(sql, from);
  const columns = afterWord(sql, afterWord(sql, afterName(sql, order), "first"), "by");
  return afterName(sql, afterWord(sql, afterNames(sql, columns), "set"));
}

/** `CYCLE column, … SET column [TO constant DEFAULT constant] USING column` */
function afterCycle(sql: string, from: number): number {
  let at = afterName(sql, afterWord(sql, afterNames(sql, afterName(sql, from)), "set"));
  // The constants have a grammar of their own, in which USING cannot stand: it is a reserved word.
  while (at < sql.length && !isWord(sql, at, "using")) {
    at = skipBlank(sql, skipToken(sql, at));
  }
  return afterName(sql, afterWord(sql, at, "using"));
}

function afterNames(sql: string, from: number): number {
  let at = afterName(sql, from);
  while (sql[at] === ",") at = afterName(sql, skipBlank(sql, at + 1));
  return at;
}

function afterName(sql: string, at: number): number {
  const end = skipName(sql, at);
  return end > at ? skipBlank(sql, end) : sql.length;
}

function afterWord(sql: string, at: number, word: string): number {
  return isWord(sql, at, word) ? skipBlank(sql, at + word.length) : sql.length;
}

/** By character code: `toUpperCase` finds an `AS` in `aſ`. */
function isWord(sql: string, at: number, word: string): boolean {
  for (let place = 0; place < word.length; place++) {
    if ((sql.charCodeAt(at + place) | 32) !== word.charCodeAt(place)) return false;
  }
  return !isWordPart(sql.charCodeAt(at + word.length));
}

function afterGroup(sql: string, from: number): number {
  if (sql[from] !== "(") return sql.length;
  let depth = 0;
  for (let at = from; at < sql.length; ) {
    if (sql[at] === "(") depth++;
    else if (sql[at] === ")" && --depth === 0) return skipBlank(sql, at + 1);
    at = skipBlank(sql, skipToken(sql, at));
  }
  return sql.length;
}
