import { isIPv6 } from "node:net";

/**
 * The sieve for text from outside: what pg read from options and environment, what a server or DNS answered. It becomes
 * a name, a label, a word of a log line or of a page only when it looks like one. A connection string that is misread
 * puts its password where a database, a host or a user belongs.
 */

/** Stands for a character that is not shown. */
const REPLACEMENT = "\uFFFD";
/** Control characters, halves of surrogate pairs, line separators, and what turns the direction of text. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/gu;

const MAX_NAME_LENGTH = 255;
/** NAMEDATALEN − 1: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS */
const MAX_DATABASE_BYTES = 63;
/** https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4 */
const MAX_HOST_LENGTH = 253;
/** `sun_path` of a socket's address, less the name of the socket in its folder. */
const MAX_FOLDER_LENGTH = 90;

/** No separator of any form of connection string: `: / @ ? & = % # ; , |`, quotes, brackets, blanks. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.$-]*$/u;
/** `postgres:` and `postgresql:` in Base64, as in a secret that was encoded twice. */
const ENCODED_URL = /^cG9zdGdyZX(M6|Nxb)/;
/** With the colons of Cloud SQL: `/cloudsql/project:region:instance`. */
const SOCKET_FOLDER = /^(\/[\p{L}\p{N}_.:-]+)+\/?$/u;
/** The zone is the name of an interface, as in `fe80::1%eth0`. */
const IPV6_ZONE = /%[\w.-]{1,15}$/;

/** `text` if it looks like a database's name. */
export function databaseName(text: unknown): string | undefined {
  if (typeof text !== "string" || !NAME.test(text) || ENCODED_URL.test(text)) return undefined;
  return Buffer.byteLength(text) <= MAX_DATABASE_BYTES ? text : undefined;
}

/** `text` if it looks like a host: a name, an address, or the folder of a Unix socket. */
export function hostName(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  if (text.startsWith("/")) {
    return text.length <= MAX_FOLDER_LENGTH && SOCKET_FOLDER.test(text) ? text : undefined;
  }
  if (isIPv6(text.replace(IPV6_ZONE, ""))) return text;
  return text.length <= MAX_HOST_LENGTH && NAME.test(text) && !ENCODED_URL.test(text) ? text : undefined;
}

/** Whether a user of a connection string looks like one: `app`, `app@tenant`, `DOMAIN\app`. Users are never shown. */
export function isUserName(text: unknown): boolean {
  return typeof text !== "string" || !/[=&;:/?#,"'[\]\s\p{Cc}]/u.test(text);
}

/** Parameters of a URL whose value may hold an `@`. */
const PARAMETERS_WITH_AT = /[?&](user|password|application_name|fallback_application_name|options)=[^&#/]*/g;

/**
 * Whether the user or the password of a connection string was cut in two, so that the rest of it was read as host, port
 * and database: an `@` is left where none belongs, or parameters stand in front of the path. Without a scheme pg takes the whole string for a database.
 * https://github.com/brianc/node-postgres/tree/master/packages/pg-connection-string
 */
export function isCutUrl(connectionString: unknown): boolean {
  if (typeof connectionString !== "string" || connectionString === "") return false;
  // `/folder database`; both are looked at by themselves.
  if (connectionString.startsWith("/")) return false;
  const [scheme, authority, rest] = partsOf(connectionString);
  if (scheme === "" || /[&; ](user|password)=/i.test(authority)) return true;
  return rest.replace(PARAMETERS_WITH_AT, "").includes("@");
}

/** The host in front of the path, as it is written; empty if there is none. A parameter `host` may be a part of a password. */
export function hostOfUrl(connectionString: string): string {
  const [, authority] = partsOf(connectionString);
  return authority
    .replace(/^.*@/s, "")
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

function partsOf(connectionString: string): [scheme: string, authority: string, rest: string] {
  // As URLs are parsed: line ends do not count.
  const url = connectionString.replace(/[\t\n\r]/g, "");
  const [, scheme = "", authority = "", rest = ""] =
    /^([a-z][\w.+-]*:\/\/|socket:)([^/?#]*)(.*)$/is.exec(url) ?? [];
  return [scheme, authority, rest];
}

/** Whether `text` may hold a password: it looks like a URL, like a connection string, or like a part of one. */
export function mayHoldPassword(text: string): boolean {
  return text.includes("://") || hasCredentials(text);
}

/** Whether a password is where one belongs, in a URL (encoded ones too) or in libpq's form. */
export function hasCredentials(text: string): boolean {
  return /(:|%3A)[^\s:@]*(@|%40)|(password|passwd|pwd)\s*[=:]/i.test(text) || ENCODED_URL.test(text);
}

export function isPrintable(text: string): boolean {
  return text.search(UNPRINTABLE) < 0;
}

/** `text` in one line, without what a terminal or a log reader takes for a command. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, REPLACEMENT);
}

/** A name of the environment, like a service's, as it can be shown; undefined if it may hold a password. */
export function nameFrom(text: string | undefined): string | undefined {
  return text === undefined || mayHoldPassword(text) ? undefined : printable(text.slice(0, MAX_NAME_LENGTH));
}

/** A word of a server or of the environment, like `idle in transaction (aborted)` or `http/json`; undefined if it is none. */
export function wordFrom(text: unknown): string | undefined {
  return typeof text === "string" && /^\w[\w .,+/()-]{0,62}$/.test(text) ? text : undefined;
}
