/** What becomes of a connection after an error: kept only where a fresh session would have failed alike. */
interface Ruling {
  /** A SQLSTATE, or the two characters of its class. */
  readonly states: string;
  readonly isKept: boolean;
  readonly reason: string;
}

const keep = (states: string, reason: string): Ruling => ({ states, isKept: true, reason });
const close = (states: string, reason: string): Ruling => ({ states, isKept: false, reason });

/** For whatever has no ruling: classes of extensions and of `RAISE … USING ERRCODE`, codes of later servers. */
const UNKNOWN: Ruling = close("", "unknown to this table: the session may be at fault");

const FORMATS = "`DateStyle`, `IntervalStyle` or `TimeZone` of the session decide what is valid";
const TRANSACTION = "the session is in a transaction, or believes to be in none";
const NAMES = "`search_path`, role and temporary objects of the session decide what a name means";
const TEXT = "the text of the statement is wrong in every session";
const EXISTS = "it may exist in this session only, left behind by an earlier statement";

/**
 * PostgreSQL's SQLSTATEs, class by class; a code goes before its class. pg-pool closes every connection on which
 * `pool.query` failed, which cures whatever the session itself was the cause of. So a code is kept only when the cause
 * lies in the statement, its values, the rows or other sessions.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const SQL_STATES: readonly Ruling[] = [
  close("00", "no error"),
  close("01", "a warning, raised as an error by a function that may rely on the session"),
  close("02", "a warning, raised as an error by a function that may rely on the session"),
  close("03", "the server has not finished the statement"),
  close("08", "the connection, or one that the session holds to another server, is broken"),
  close("09", "a trigger failed, which may rely on the session"),
  close("0A", "includes `cached plan must not change result type`: fails for as long as the session lives"),
  close("0B", TRANSACTION),
  close("0F", "large object descriptors belong to the session"),
  close("0L", "the role of the session decides"),
  close("0P", "the role of the session decides"),
  close("0Z", "raised by a function that may rely on the session"),
  keep("10", "the values are wrong in every session"),
  keep("20", "no branch of a `CASE` fits the values"),
  keep("21", "the rows or the shape of the statement are wrong in every session"),
  keep("22", "the values are wrong in every session"),
  close("22007", FORMATS),
  close("22008", FORMATS),
  close("22009", FORMATS),
  close("22015", FORMATS),
  close("22023", "includes values of parameters of the session"),
  close("22P06", "`standard_conforming_strings` and `backslash_quote` of the session decide"),
  keep("23", "the rows are in the way, or missing, in every session"),
  close("24", "cursors belong to the session"),
  close("25", TRANSACTION),
  close(
    "25006",
    "the session is read-only: the old primary after a failover, or `default_transaction_read_only`",
  ),
  close("25P03", "the server has ended the session"),
  close("25P04", "the server has ended the session"),
  close("26", "prepared statements belong to the session: this one is unknown to it"),
  keep("27", "a trigger has changed the row already, in every session"),
  close("28", "the session was refused"),
  close("2B", "temporary objects and the role of the session may be the dependents"),
  close("2D", TRANSACTION),
  close("2F", "raised by a function that may rely on the session"),
  close("34", "cursors belong to the session: this one is unknown to it"),
  close("38", "raised by a function that may keep data in the session"),
  close("39", "raised by a function that may keep data in the session"),
  close("3B", TRANSACTION),
  close("3D", "the database is gone, or was never there"),
  close("3F", NAMES),
  keep("40", "other transactions were in the way: to be tried again"),
  close("40003", "whether the statement was executed is unknown"),
  close("42", NAMES),
  keep("42601", TEXT),
  keep("42602", TEXT),
  keep("42622", TEXT),
  keep("42712", TEXT),
  keep("42803", TEXT),
  keep("42939", TEXT),
  keep("42P02", TEXT),
  keep("42P09", TEXT),
  keep("42P19", TEXT),
  keep("42P20", TEXT),
  close("42501", "the role of the session decides"),
  close("42804", "includes a type that has changed since a function of the session was planned"),
  close("42P03", EXISTS),
  close("42P05", EXISTS),
  close("42P07", EXISTS),
  keep("44", "the row does not fit the view, in every session"),
  close("53", "memory, temporary files and connections that the session holds are free when it is closed"),
  close("54", "limits are parameters of the session"),
  close("55", "objects in use and parameters belong to the session, and so does `lock_timeout` (55P03)"),
  close("57", "the server ends the session"),
  close("57014", "`statement_timeout` of the session, or canceled: another cancel may be on its way"),
  close("58", "files are wrong that the session may hold open"),
  close("72", "the snapshot of the session is too old"),
  close("F0", "the server cannot read its configuration"),
  close("HV", "the session holds the connections to foreign servers"),
  keep("P0", "raised on purpose, for the values or rows"),
  close("P0004", "an assertion failed: a function is not sure of anything"),
  close("XX", "includes `cache lookup failed`: what the session remembers is wrong, or its process"),
];

const BY_STATES: ReadonlyMap<string, Ruling> = new Map(SQL_STATES.map((ruling) => [ruling.states, ruling]));

export function rulingOn(sqlState: string): Ruling {
  return BY_STATES.get(sqlState) ?? BY_STATES.get(sqlState.slice(0, 2)) ?? UNKNOWN;
}

/** Whether a connection has to be closed after an error with this SQLSTATE, because its session may be the cause. */
export function closesSession(sqlState: string): boolean {
  return !rulingOn(sqlState).isKept;
}

/** The server refused a statement and carries on, with a session that is not the cause: severity ERROR. */
export function isKeptAfter(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, severity } = error as ServerError;
  // Severities come in the server's language; what ends the session is known by its code.
  if (typeof severity !== "string" || typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code)) return false;
  return !/^(FATAL|PANIC)$/.test(severity) && !closesSession(code);
}

export interface ServerError {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly routine?: unknown;
}

/** Connection exceptions, shutdowns and time limits of the session: the server ends the connection after these. */
const LOST = /^(08...|57P0[1235]|25P0[34])$/;

/**
 * What an error says of the session, whatever the application makes of it: the server ends the connection, or will not
 * serve it any more, or the next statement would fail too: read-only after a failover, a cached plan that has changed,
 * prepared statements that the session does not know, or has.
 */
export function sessionFault({
  code,
  severity,
  routine,
}: ServerError): "ends" | "lost" | "read-only" | "prepared statement" | undefined {
  if (typeof code !== "string") return undefined;
  if (LOST.test(code)) return severity === "FATAL" || severity === "PANIC" ? "ends" : "lost";
  if (code === "25006") return "read-only";
  // Of all that is not supported only the cached plan is the session's.
  const isPlan = code === "0A000" && routine === "RevalidateCachedQuery";
  return isPlan || code === "26000" || code === "42P05" ? "prepared statement" : undefined;
}
