import type { HookablePool } from "./pg-types.ts";

/** Where a pool's connections go, as far as it is known. Never a user name, never a password. */
export interface ServerAddress {
  readonly database?: string;
  readonly host?: string;
  /** Absent for a Unix socket. */
  readonly port?: number;
}

/**
 * Asks a client of the pool's own class, made from the pool's own options: a connection string, `PG*` environment
 * variables and defaults all count, by pg's own rules. Making a client opens nothing; `connection` keeps it from even
 * creating a socket (or calling the application's `stream` factory).
 */
export function serverAddress(pool: HookablePool): ServerAddress {
  try {
    const { host, port, database } = new pool.Client({
      ...pool.options,
      connection: {},
    }) as { host?: unknown; port?: unknown; database?: unknown };
    const isSocket = typeof host === "string" && host.startsWith("/");
    return {
      ...(typeof database === "string" && database !== "" && { database }),
      ...(typeof host === "string" && host !== "" && { host }),
      ...(typeof port === "number" && port > 0 && !isSocket && { port }),
    };
  } catch {
    // An unreadable connection string: pg will say so at the first connect, with its own error.
    return {};
  }
}

/** The name of a pool that was given none: its database, else its server. */
export function defaultPoolName({ database, host, port }: ServerAddress): string {
  if (database !== undefined) return database;
  if (host !== undefined) return port === undefined ? host : `${host}:${port}`;
  return "pool";
}
