/**
 * As much of PostgreSQL's lexer as it takes to tell literals, names and comments apart. Every function takes a place in
 * the text and returns where its thing ends, or that place again if there is none. What is never closed ends with the
 * text. https://www.postgresql.org/docs/current/sql-syntax-lexical.html and the server's own scan.l
 */

import type { ConformingStrings } from "./conforming-strings.ts";

const QUOTE = 39; // '
const DOUBLE_QUOTE = 34; // "
const DOLLAR = 36;
const DOT = 46;
const BACKSLASH = 92;
const AMPERSAND = 38;
const DASH = 45;
const SLASH = 47;
const STAR = 42;
const PLUS = 43;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
/** Turns an ASCII capital into its small letter, and nothing else into an ASCII letter. */
const SMALL = 32;
const SMALL_A = 97;
const SMALL_B = 98;
const SMALL_E = 101;
const SMALL_N = 110;
const SMALL_U = 117;
const SMALL_X = 120;
const SMALL_Z = 122;

/** Letters, digits, `_`, `$` and everything beyond ASCII: what goes on a word that has begun. */
export function isWordPart(code: number): boolean {
  return isWordStart(code) || isDigit(code) || code === DOLLAR;
}

function isWordStart(code: number): boolean {
  return isLetter(code) || code === 95 || code > 127;
}

function isLetter(code: number): boolean {
  return (code | SMALL) >= SMALL_A && (code | SMALL) <= SMALL_Z;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** White space and comments. Control characters are errors to PostgreSQL, and blanks here: nobody shows them then. */
export function skipBlank(sql: string, at: number): number {
  for (let place = at; ; ) {
    const code = sql.charCodeAt(place);
    if (code <= 32 || code === 127) place++;
    else if (code === DASH && sql.charCodeAt(place + 1) === DASH) place = lineEnd(sql, place);
    else if (code === SLASH && sql.charCodeAt(place + 1) === STAR) place = commentEnd(sql, place);
    else return place;
  }
}

function lineEnd(sql: string, at: number): number {
  let place = at;
  while (place < sql.length && !isNewline(sql.charCodeAt(place))) place++;
  return place;
}

function isNewline(code: number): boolean {
  return code === NEWLINE || code === CARRIAGE_RETURN;
}

function commentEnd(sql: string, at: number): number {
  let depth = 1;
  for (let place = at + 2; place < sql.length; place++) {
    const code = sql.charCodeAt(place);
    if (code === STAR && sql.charCodeAt(place + 1) === SLASH) {
      place++;
      if (--depth === 0) return place + 1;
    } else if (code === SLASH && sql.charCodeAt(place + 1) === STAR) {
      place++;
      depth++;
    }
  }
  return sql.length;
}

/** A string of any kind, a number or a parameter. Also a `"` that nothing closes: what follows it may be anything. */
export function skipLiteral(sql: string, at: number, strings: ConformingStrings = "on"): number {
  const code = sql.charCodeAt(at);
  if (code === QUOTE) return plainStringEnd(sql, at, strings);
  if (code === DOUBLE_QUOTE) return closing(sql, at, '"') < 0 ? sql.length : at;
  if (code === DOLLAR) return dollarEnd(sql, at);
  if (isDigit(code) || (code === DOT && isDigit(sql.charCodeAt(at + 1)))) return numberEnd(sql, at);
  const next = sql.charCodeAt(at + 1);
  const prefix = code | SMALL;
  if (next === QUOTE) {
    if (prefix === SMALL_E) return stringEnd(sql, at + 1, true);
    if (prefix === SMALL_N) return plainStringEnd(sql, at + 1, strings);
    if (prefix === SMALL_B || prefix === SMALL_X) return stringEnd(sql, at + 1, false);
  } else if (prefix === SMALL_U && next === AMPERSAND && sql.charCodeAt(at + 2) === QUOTE) {
    // In U&'' the backslash belongs to the letter after it, and does not save a quote.
    return stringEnd(sql, at + 2, false);
  }
  return at;
}

/** A word, or a name in double quotes (`U&"d\0061t"` too). */
export function skipName(sql: string, at: number): number {
  const code = sql.charCodeAt(at);
  if (code === DOUBLE_QUOTE) return Math.max(at, closing(sql, at, '"'));
  if (!isWordStart(code)) return at;
  if ((code | SMALL) === SMALL_U && sql.startsWith('&"', at + 1)) {
    const end = closing(sql, at + 2, '"');
    if (end > 0) return end;
  }
  let place = at + 1;
  while (isWordPart(sql.charCodeAt(place))) place++;
  return place;
}

/** A literal, a name, or a single character of anything else. */
export function skipToken(sql: string, at: number): number {
  const literal = skipLiteral(sql, at);
  if (literal > at) return literal;
  const name = skipName(sql, at);
  return name > at ? name : at + 1;
}

/** Where it is unknown what a backslash does, and it matters, the string goes to the end. */
function plainStringEnd(sql: string, at: number, strings: ConformingStrings): number {
  if (strings !== "unknown") return stringEnd(sql, at, strings === "off");
  const end = stringEnd(sql, at, false);
  return end === stringEnd(sql, at, true) ? end : sql.length;
}

function stringEnd(sql: string, at: number, backslashEscapes: boolean): number {
  for (let open = at; ; ) {
    const end = backslashEscapes ? closingEscaped(sql, open) : closing(sql, open, "'");
    if (end < 0) return sql.length;
    open = continuation(sql, end);
    if (open < 0) return end;
  }
}

/** `'a'`, a newline, `'b'` is one string, and what a backslash means in `b` was said in front of `a`. */
function continuation(sql: string, at: number): number {
  let newline = false;
  for (let place = at; ; ) {
    const code = sql.charCodeAt(place);
    if (code <= 32) {
      newline ||= isNewline(code);
      place++;
    } else if (code === DASH && sql.charCodeAt(place + 1) === DASH) {
      place = lineEnd(sql, place);
    } else {
      return newline && code === QUOTE ? place : -1;
    }
  }
}

/** Behind the quote that closes the one at `at`; -1 if there is none. A doubled quote is one within. */
function closing(sql: string, at: number, quote: string): number {
  for (let from = at + 1; ; ) {
    const end = sql.indexOf(quote, from);
    if (end < 0) return -1;
    if (sql[end + 1] !== quote) return end + 1;
    from = end + 2;
  }
}

function closingEscaped(sql: string, at: number): number {
  for (let place = at + 1; place < sql.length; place++) {
    const code = sql.charCodeAt(place);
    if (code === BACKSLASH) place++;
    else if (code === QUOTE) {
      if (sql.charCodeAt(place + 1) !== QUOTE) return place + 1;
      place++;
    }
  }
  return -1;
}

function dollarEnd(sql: string, at: number): number {
  const first = sql.charCodeAt(at + 1);
  if (isDigit(first)) return digitsEnd(sql, at + 1);
  let place = at + 1;
  while (isTagPart(sql.charCodeAt(place))) place++;
  if (sql.charCodeAt(place) !== DOLLAR) return at;
  const delimiter = sql.slice(at, place + 1);
  const close = sql.indexOf(delimiter, place + 1);
  return close < 0 ? sql.length : close + delimiter.length;
}

/** A word without `$`. */
function isTagPart(code: number): boolean {
  return code !== DOLLAR && isWordPart(code);
}

/** Letters right behind digits are an error since PostgreSQL 15, so a number takes them along: `3f2504e0` is data. */
function digitsEnd(sql: string, at: number): number {
  let place = at;
  while (isTagPart(sql.charCodeAt(place))) place++;
  return place;
}

/** `1`, `1.5`, `.5`, `1e-9`, `0x1F`, `1_000`. */
function numberEnd(sql: string, at: number): number {
  const decimal = (sql.charCodeAt(at + 1) | SMALL) !== SMALL_X;
  for (let place = at; ; ) {
    const end = digitsEnd(sql, place);
    const code = sql.charCodeAt(end);
    const exponent =
      decimal &&
      (code === PLUS || code === DASH) &&
      (sql.charCodeAt(end - 1) | SMALL) === SMALL_E &&
      isDigit(sql.charCodeAt(end + 1));
    if (code !== DOT && !exponent) return end;
    place = end + 1;
  }
}
