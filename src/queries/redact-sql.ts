import { createHash } from "node:crypto";
import { printable } from "../outside-text.ts";
import type { ConformingStrings } from "./conforming-strings.ts";
import { skipBlank, skipLiteral, skipName } from "./sql-scanner.ts";
import { ValuePositions } from "./value-positions.ts";

const MAX_READ = 20_000;
const MAX_LENGTH = 500;
const ELLIPSIS = "…";
const PLACEHOLDER = "?";
const OPENERS: ReadonlyMap<string, string> = new Map([
  [")", "("],
  ["]", "["],
]);

/**
 * An SQL text without its data: every literal and every parameter is a `?`, comments are gone, white space is one space.
 * Lists of literals are one `(?)` or `ARRAY[?]` however long they are, and so are rows alike, as in `VALUES (?), (?)`.
 * One line of at most 500 characters, cut between words with `…`; of a text longer than 20,000 characters only so much
 * is read. Names stay, quoted ones too, and so do `true`, `false` and `null`; but not where they are data: see
 * {@link ValuePositions}.
 *
 * @param strings Where it is unknown whether a backslash saves a quote, a string with both is a literal to the end
 */
export function redactSql(text: string, strings: ConformingStrings = "on"): string {
  const sql = text.length > MAX_READ ? text.slice(0, MAX_READ) : text;
  const line = new RedactedLine();
  const positions = new ValuePositions();
  for (let at = 0; at < sql.length; ) {
    let end = skipBlank(sql, at);
    if (end > at) {
      line.space();
      at = end;
      continue;
    }
    end = skipLiteral(sql, at, strings);
    if (end > at) {
      positions.literal();
      line.literal();
    } else {
      end = Math.max(skipName(sql, at), at + 1);
      const token = printable(sql.slice(at, end));
      if (positions.takes(token, sql, end)) line.literal();
      else line.add(token);
    }
    at = end;
  }
  return line.end(sql.length < text.length);
}

/** What tells two redacted texts apart, whatever their letter case: 16 hexadecimal digits. */
export function fingerprintOf(redacted: string): string {
  return createHash("sha256").update(redacted.toLowerCase()).digest("hex").slice(0, 16);
}

/** Where a bracket is open: its place in the line, and that of the row closed last within it. */
interface Bracket {
  readonly open: number;
  row?: { readonly open: number; readonly end: number };
}

/**
 * The tokens of the line, and the spaces between them. All folding looks back at what is already folded, so that a
 * redacted text is redacted to itself.
 */
class RedactedLine {
  readonly #tokens: string[] = [];
  readonly #brackets: Bracket[] = [{ open: -1 }];
  #space = false;

  space(): void {
    this.#space = true;
  }

  literal(): void {
    this.add(PLACEHOLDER);
    this.#foldUescape();
  }

  add(token: string): void {
    const opener = OPENERS.get(token);
    const tight = token === "," || opener !== undefined || isOpener(this.#tokens.at(-1));
    if (this.#space && !tight && this.#tokens.length > 0) this.#tokens.push(" ");
    this.#space = false;
    if (opener !== undefined) this.#close(token, opener);
    else {
      if (isOpener(token)) this.#brackets.push({ open: this.#tokens.length });
      this.#tokens.push(token);
    }
  }

  end(incomplete: boolean): string {
    if (incomplete) this.#dropOpenEnd();
    else this.#dropWhile((token) => token === ";" || token === " ");
    this.#cut(incomplete);
    // Not by `+`: what is kept of the line must not keep the text of the query in memory.
    return this.#tokens.join("");
  }

  #close(token: string, opener: string): void {
    const bracket = this.#brackets.at(-1);
    if (bracket === undefined || this.#tokens[bracket.open] !== opener) {
      this.#tokens.push(token);
      return;
    }
    this.#brackets.pop();
    if (this.#isListOfLiterals(bracket.open)) {
      this.#tokens.length = bracket.open + 1;
      this.#tokens.push(PLACEHOLDER);
    }
    this.#tokens.push(token);
    this.#foldRow(bracket.open);
  }

  /** `?, -?, ?` from behind the bracket to the end. Looks no further back than the first thing that is neither. */
  #isListOfLiterals(open: number): boolean {
    let at = this.#tokens.length - 1;
    for (;;) {
      if (this.#tokens[at] !== PLACEHOLDER) return false;
      at--;
      if (this.#tokens[at] === " ") at--;
      if (this.#tokens[at] === "-" || this.#tokens[at] === "+") at--;
      if (this.#tokens[at] === " ") at--;
      if (at === open) return true;
      if (this.#tokens[at] !== ",") return false;
      at--;
    }
  }

  /** Drops the row that opened at `open` if it is the one before it again, as in `VALUES (?, now()), (?, now())`. */
  #foldRow(open: number): void {
    const outer = this.#brackets.at(-1);
    if (outer === undefined) return;
    const before = outer.row;
    if (before !== undefined && this.#isNextRow(before.end, open) && this.#isSame(before, open)) {
      this.#tokens.length = before.end;
    } else {
      outer.row = { open, end: this.#tokens.length };
    }
  }

  #isNextRow(end: number, open: number): boolean {
    if (this.#tokens[end] !== ",") return false;
    return open === end + 1 || (open === end + 2 && this.#tokens[end + 1] === " ");
  }

  #isSame(row: { readonly open: number; readonly end: number }, open: number): boolean {
    if (this.#tokens.length - open !== row.end - row.open) return false;
    for (let at = row.open; at < row.end; at++) {
      if (this.#tokens[at] !== this.#tokens[open + at - row.open]) return false;
    }
    return true;
  }

  /** `U&'…' UESCAPE '!'` is one literal. */
  #foldUescape(): void {
    let at = this.#tokens.length - 2;
    if (this.#tokens[at] === " ") at--;
    if (this.#tokens[at]?.toUpperCase() !== "UESCAPE") return;
    at--;
    if (this.#tokens[at] === " ") at--;
    if (this.#tokens[at] === PLACEHOLDER) this.#tokens.length = at + 1;
  }

  /** Reading stopped anywhere: the last token may be half a one, and how much of a list came before says nothing. */
  #dropOpenEnd(): void {
    const last = this.#tokens.at(-1) ?? "";
    if (last !== PLACEHOLDER && !OPENERS.has(last)) this.#tokens.pop();
    const inBrackets = this.#brackets.length > 1;
    this.#dropWhile((token) => " ,-+([".includes(token) || (inBrackets && token === PLACEHOLDER));
  }

  #dropWhile(isDropped: (token: string) => boolean): void {
    while (this.#tokens.length > 0 && isDropped(this.#tokens.at(-1) ?? "")) this.#tokens.pop();
  }

  #cut(incomplete: boolean): void {
    let length = 0;
    let fitting = 0;
    for (const [place, token] of this.#tokens.entries()) {
      length += token.length;
      if (length <= MAX_LENGTH - ELLIPSIS.length) fitting = place + 1;
      else if (length > MAX_LENGTH) break;
    }
    if (!incomplete && length <= MAX_LENGTH) return;
    this.#tokens.length = fitting;
    this.#dropWhile((token) => token === " ");
    this.#tokens.push(ELLIPSIS);
  }
}

function isOpener(token: string | undefined): boolean {
  return token === "(" || token === "[";
}
