import { skipBlank, skipLiteral, skipName } from "../queries/sql-scanner.ts";
import { STATELESS_WORDS } from "./stateless-words.ts";

/**
 * What a statement leaves in its session: nothing; a setting, which any other session has too where the same statement
 * runs first; state that no other session has; or the defaults of sessions opened later, which no open session has.
 */
export type Effect = "nothing" | "setting" | "state" | "defaults";

const MAX_READ = 8_192;
const MAX_CACHED_LENGTH = 2_048;
const MAX_CACHED = 500;

/** First words of statements that leave nothing, unless a later word does. */
const STATELESS_COMMANDS =
  words(`abort alter analyse analyze begin checkpoint close cluster comment commit copy create
  declare delete drop end explain fetch grant insert lock merge move notify reassign refresh reindex release revoke
  rollback savepoint security select show start table truncate update vacuum values with`);
const SETTINGS = words("set reset listen unlisten load");
const IN_BLOCKS = /\b(?:call|deallocate|discard|do|execute|import|listen|load|prepare|reset|set|unlisten)\b/i;
const WITH_DEFAULTS = words("database group role system user");
const BEFORE_TEMPORARY = words("create global into local replace");
/** A table or an alias stands behind these, and in the parentheses behind it are columns: no function is called. */
const BEFORE_NAME = words("as copy exists into recursive references table with");

const DOUBLE_QUOTE = 34;
const OPEN = 40;
const CLOSE = 41;
const COMMA = 44;
const DOT = 46;
const COLON = 58;
const SEMICOLON = 59;
const AT_SIGN = 64;
const NOWHERE = -1;
const BEHIND_PARENTHESES = -2;

const effects = new Map<string, Effect>();

export function leavesState(text: string): boolean {
  return effectOf(text) !== "nothing";
}

/**
 * Judges a text of one or more statements. What is not certain is state: then recycling closes a connection after a SQL
 * error, as pg-pool does. What the text does not show is not seen: a trigger, a view or an operator that calls a function.
 */
export function effectOf(text: string): Effect {
  if (text.length > MAX_CACHED_LENGTH) return text.length > MAX_READ ? "state" : judge(text);
  const known = effects.get(text);
  if (known !== undefined) return known;
  const effect = judge(text);
  if (effects.size >= MAX_CACHED) effects.clear();
  effects.set(text, effect);
  return effect;
}

/** @param isBlock A body in PL/pgSQL, where statements do not only begin behind a semicolon. */
function judge(text: string, isBlock = false): Effect {
  // Whether \' ends a string depends on a parameter of the session, and U&"…" may spell a name in numbers.
  if (/\\'|u&"/i.test(text)) return "state";
  // Most texts have none of these: then the first word of each statement and the words before parentheses are enough.
  const hasSpecialWords = /temp|set_config|hold|alter/i.test(text);
  let effect: Effect = "nothing";
  let isStart = !isBlock;
  /** Where the last name begins, and the one before it. */
  let last = NOWHERE;
  let before = NOWHERE;
  for (let at = skipBlank(text, 0); at < text.length; at = skipBlank(text, at)) {
    const code = text.charCodeAt(at);
    const end = isPunctuation(code) ? at : nameEnd(text, at);
    if (end > at) {
      before = last;
      last = at;
      if (isStart || hasSpecialWords) {
        const found = isStart ? effectOfCommand(text, at) : effectOfWord(text, last, before);
        if (found === "state" || found === "defaults") return found;
        if (found === "setting") effect = found;
        isStart = false;
      }
      at = end;
      continue;
    }
    if (code === OPEN && isCall(text, last, before)) return "state";
    if (code === SEMICOLON) isStart = !isBlock;
    before = NOWHERE;
    last = code === CLOSE ? BEHIND_PARENTHESES : NOWHERE;
    at = isPunctuation(code) ? at + 1 : Math.max(skipLiteral(text, at), at + 1);
  }
  return effect;
}

/** `(`, `)`, `*`, `+`, `,` and `:` to `@`: neither names nor literals begin with them. */
function isPunctuation(code: number): boolean {
  return (code >= OPEN && code <= COMMA) || (code >= COLON && code <= AT_SIGN);
}

/** Behind a word, or a name with all its parts: `t`, `"T"`, `schema.t`. */
function nameEnd(text: string, from: number): number {
  for (let at = from; ; ) {
    const end = skipName(text, at);
    if (end === at) return at;
    const dot = skipBlank(text, end);
    if (text.charCodeAt(dot) !== DOT) return end;
    at = skipBlank(text, dot + 1);
  }
}

/** In small letters, without quotes, and with its schema unless that is PostgreSQL's own. */
function nameAt(text: string, from: number): string {
  if (from < 0) return "";
  let name = "";
  for (let at = from; ; ) {
    const end = skipName(text, at);
    const part = text.charCodeAt(at) === DOUBLE_QUOTE ? text.slice(at + 1, end - 1) : text.slice(at, end);
    name = (name === "pg_catalog." ? "" : name) + part.toLowerCase();
    const dot = skipBlank(text, end);
    if (end === at || text.charCodeAt(dot) !== DOT) return name;
    name += ".";
    at = skipBlank(text, dot + 1);
  }
}

function effectOfCommand(text: string, at: number): Effect {
  const command = nameAt(text, at);
  if (command === "set") return effectOfSet(text, nameEnd(text, at));
  if (command === "do") return effectOfBlock(text.slice(nameEnd(text, at)));
  if (SETTINGS.has(command)) return "setting";
  return STATELESS_COMMANDS.has(command) ? "nothing" : "state";
}

/**
 * `SET LOCAL`, `SET TRANSACTION` and `SET CONSTRAINTS` end with the transaction. But a parameter with a dot in its name,
 * an application's own, is empty from then on where it was unknown before.
 */
function effectOfSet(text: string, from: number): Effect {
  const at = skipBlank(text, from);
  const scope = nameAt(text, at);
  if (scope === "transaction" || scope === "constraints") return "nothing";
  if (scope !== "local") return "setting";
  return nameAt(text, skipBlank(text, nameEnd(text, at))).includes(".") ? "setting" : "nothing";
}

/** `DO $$ … $$` alone, in PL/pgSQL: nothing, if no word of its body could leave anything wherever it stood. */
function effectOfBlock(rest: string): Effect {
  const body = /^\s*(\$\w*\$)([^$]*)\1[\s;]*$/.exec(rest)?.[2];
  return body === undefined || IN_BLOCKS.test(body) ? "state" : judge(body, true);
}

function effectOfWord(text: string, at: number, before: number): Effect {
  const word = nameAt(text, at);
  if (word === "set_config") return "setting";
  if (word.includes("pg_temp")) return "state";
  if (word === "hold") return nameAt(text, before) === "with" ? "state" : "nothing";
  if (word === "temp" || word === "temporary") {
    return BEFORE_TEMPORARY.has(nameAt(text, before)) ? "state" : "nothing";
  }
  return WITH_DEFAULTS.has(word) && nameAt(text, before) === "alter" ? "defaults" : "nothing";
}

/** Whether parentheses behind these words are those of a function that is not known to leave nothing. */
function isCall(text: string, at: number, before: number): boolean {
  // Behind a parenthesis stands the alias of what is in it: `unnest($1) t (id)`.
  if (at < 0 || before === BEHIND_PARENTHESES) return false;
  const word = nameAt(text, at);
  return word !== "set_config" && !STATELESS_WORDS.has(word) && !BEFORE_NAME.has(nameAt(text, before));
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(/\s+/));
}
