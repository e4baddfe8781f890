import { skipBlank } from "./sql-scanner.ts";

/** Values of settings that are in every manual. */
const PLAIN_VALUES = new Set(["DEFAULT", "ON", "OFF", "TRUE", "FALSE"]);
/** What has settings by `ALTER … SET` or `CREATE … SET`. */
const WITH_SETTINGS = new Set([
  "ROLE",
  "USER",
  "GROUP",
  "DATABASE",
  "SYSTEM",
  "FUNCTION",
  "PROCEDURE",
  "ROUTINE",
]);
/** Behind these a text in double quotes was meant as a string. */
const BEFORE_STRINGS = new Set(["=", "<", ">", "~", "LIKE", "ILIKE", "IS", "CONNECTION", "PROGRAM"]);

/** A bracket that is open: whether a list of values is in it, or the options of a foreign server. */
interface Bracket {
  readonly kind: "values" | "options" | "other";
  /** Of the option: the first one is its name. */
  words: number;
}

/**
 * Where a word or a text in double quotes is data though its form is that of a name:
 *
 * - behind `SET name TO` and `SET name =`, `ALTER ROLE … SET` and the like, to the end of the statement;
 * - behind `PASSWORD` of roles, `PROGRAM`, `FROM` and `TO` of COPY, and the names in `OPTIONS (…)`;
 * - in double quotes behind a comparison or in a list of `IN` and `VALUES`, as other databases write strings. A name
 *   that stands elsewhere in the text too, is qualified or called is none: `"count" = "count" + 1`, `= "t"."id"`.
 *
 * Takes the tokens of a text one after the other.
 */
export class ValuePositions {
  #words: string[] = [];
  #previous = "";
  #beforePrevious = "";
  #hasSet = false;
  #isSetting = false;
  #brackets: Bracket[] = [];
  /** A list of `VALUES` has just been closed: another may follow. */
  #endsRow = false;
  readonly #names = new Set<string>();

  /** A literal, which is a value by itself. */
  literal(): void {
    this.#took("?");
  }

  /** @returns Whether the name or sign that ends at `end` is a value */
  takes(token: string, sql: string, end: number): boolean {
    const isQuoted = /^(u&)?"/i.test(token);
    const isWord = isQuoted || /^[\p{L}_\u0080-\uffff]/u.test(token);
    const upper = isQuoted || token.length > 20 ? token : token.toUpperCase();
    const isValue = isWord && this.#isValue(upper, isQuoted, sql, end);
    if (isQuoted && !isValue) this.#names.add(token);
    if (isWord) this.#word(upper);
    else this.#sign(token);
    this.#took(isValue ? "?" : upper);
    return isValue;
  }

  #isValue(upper: string, isQuoted: boolean, sql: string, end: number): boolean {
    if (this.#isSetting) return !PLAIN_VALUES.has(upper);
    const [verb = ""] = this.#words;
    if (this.#previous === "PASSWORD" && this.#isOfRole()) return upper !== "NULL";
    if (this.#brackets.at(-1)?.kind === "options") return this.#isOptionValue(upper);
    if (verb === "COPY" && this.#previous === "PROGRAM") return true;
    return isQuoted && this.#isStringPlace(verb) && !this.#isName(upper, sql, end);
  }

  #isStringPlace(verb: string): boolean {
    const bracket = this.#brackets.at(-1);
    const previous = this.#previous;
    if (BEFORE_STRINGS.has(previous)) return true;
    if (previous === "*") return this.#beforePrevious === "~";
    if (previous === "TO" && this.#beforePrevious === "SIMILAR") return true;
    if (bracket?.kind === "values") return previous === "(" || previous === ",";
    if (bracket) return false;
    if (verb === "COPY") return previous === "FROM" || previous === "TO";
    return verb === "NOTIFY" && previous === ",";
  }

  #isName(token: string, sql: string, end: number): boolean {
    if (this.#names.has(token)) return true;
    const next = sql[skipBlank(sql, end)];
    return next === "." || next === "(";
  }

  /** `name value`, `ADD name value`, `SET name value`, `DROP name`. */
  #isOptionValue(upper: string): boolean {
    const bracket = this.#brackets.at(-1);
    if (!bracket) return false;
    if (bracket.words === 0 && ["ADD", "SET", "DROP"].includes(upper)) return false;
    return bracket.words > 0;
  }

  #isOfRole(): boolean {
    const [verb = "", object = ""] = this.#words;
    return ["CREATE", "ALTER"].includes(verb) && ["ROLE", "USER", "GROUP"].includes(object);
  }

  #word(upper: string): void {
    const bracket = this.#brackets.at(-1);
    if (bracket?.kind === "options") {
      if (bracket.words > 0 || !["ADD", "SET", "DROP"].includes(upper)) bracket.words++;
      return;
    }
    if (bracket) return;
    const isReplacing = this.#words.length > 0 && (upper === "OR" || upper === "REPLACE");
    if (this.#words.length < 2 && !isReplacing) this.#words.push(upper);
    if (upper === "SET") this.#hasSet = true;
    if (upper === "TO") this.#assigned();
  }

  #sign(sign: string): void {
    switch (sign) {
      case "(":
      case "[":
        this.#brackets.push({ kind: this.#kindOfBracket(), words: 0 });
        return;
      case ")":
      case "]":
        this.#endsRow = this.#brackets.pop()?.kind === "values";
        return;
      case ",": {
        const bracket = this.#brackets.at(-1);
        if (bracket) bracket.words = 0;
        return;
      }
      case "=":
        if (this.#brackets.length === 0) this.#assigned();
        return;
      case ";":
        this.#words = [];
        this.#brackets = [];
        this.#hasSet = false;
        this.#isSetting = false;
    }
  }

  #kindOfBracket(): Bracket["kind"] {
    const [verb = ""] = this.#words;
    switch (this.#previous) {
      case "OPTIONS":
        return ["CREATE", "ALTER", "IMPORT"].includes(verb) ? "options" : "other";
      case "IN":
      case "VALUES":
        return "values";
      case ",":
        return this.#endsRow ? "values" : "other";
      case "(":
        return this.#brackets.at(-1)?.kind ?? "other";
      default:
        return "other";
    }
  }

  #assigned(): void {
    const [verb = "", object = ""] = this.#words;
    if (verb === "SET") this.#isSetting = true;
    else if (this.#hasSet && ["CREATE", "ALTER"].includes(verb) && WITH_SETTINGS.has(object))
      this.#isSetting = true;
  }

  #took(token: string): void {
    if (token !== ")" && token !== "]" && token !== ",") this.#endsRow = false;
    this.#beforePrevious = this.#previous;
    this.#previous = token;
  }
}
