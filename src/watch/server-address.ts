import { isIPv6 } from "node:net";
import { databaseName, hostName, hostOfUrl, isCutUrl, isUserName } from "../outside-text.ts";
import type { HookablePool } from "./pg-types.ts";

/** Where a pool's connections go, as far as it is known and looks right. Never a password. */
export interface ServerAddress {
  readonly database?: string;
  readonly host?: string;
  /** Absent for a Unix socket. */
  readonly port?: number;
  /** What pg read does not look like a database or a host: it may be a part of a password, and is left out. */
  readonly isMisread?: true;
}

/**
 * Asks a client of the pool's own class, made from the pool's own options: a connection string, `PG*` environment
 * variables and defaults all count, by pg's own rules. Making a client opens nothing; `connection` keeps it from even
 * creating a socket (or calling the application's `stream` factory).
 */
export function serverAddress(pool: Pick<HookablePool, "Client" | "options">): ServerAddress {
  try {
    return addressOf(new pool.Client({ ...pool.options, connection: {} }), pool.options);
  } catch {
    // An unreadable connection string: pg throws its own error at the first connect.
    return {};
  }
}

/**
 * What a client connects to, without what does not look like it. Of separate options each is judged by itself. A
 * connection string is read from the left, and what follows a part that is none may be the rest of a password: with an
 * `@` where none belongs, or a user or host that is none, nothing of it is used; with such a database, the host in front.
 *
 * @param options From which the client was made
 */
export function addressOf(client: object, options: object): ServerAddress {
  const { connectionString } = options as { connectionString?: unknown };
  const url = typeof connectionString === "string" && connectionString !== "" ? connectionString : undefined;
  const read = client as Partial<Record<"host" | "port" | "database" | "user", unknown>>;
  const host = hostName(read.host);
  const database = databaseName(read.database);
  const isDatabaseMisread = database === undefined && isGiven(read.database);
  const isHostMisread =
    (host === undefined && isGiven(read.host)) ||
    (url !== undefined && host !== undefined && !isHostOf(url, host, isDatabaseMisread));
  if (url !== undefined && (isHostMisread || isCutUrl(url) || !isUserName(read.user)))
    return { isMisread: true };
  const hasPort = typeof read.port === "number" && read.port > 0 && !isHostMisread && !host?.startsWith("/");
  return {
    ...(database !== undefined && { database }),
    ...(host !== undefined && { host }),
    ...(hasPort && { port: read.port as number }),
    ...((isHostMisread || isDatabaseMisread) && { isMisread: true }),
  };
}

/** A host of parameters or of the environment may be a part of a password where the URL has another, or is misread. */
function isHostOf(url: string, host: string, isMisread: boolean): boolean {
  const written = hostOfUrl(url);
  if (written === host) return true;
  return !isMisread && (written === "" || host.startsWith("/"));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** The name of a pool that was given none: its database, else its server. The folder of a socket is no name. */
export function defaultPoolName({ database, host, port }: ServerAddress): string {
  if (database !== undefined) return database;
  if (host !== undefined && !host.startsWith("/")) return hostAndPort(host, port);
  return "pool";
}

export function hostAndPort(host: string, port: number | undefined): string {
  if (port === undefined) return host;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
