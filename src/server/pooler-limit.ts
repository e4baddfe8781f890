import { errorClass, errorCode } from "../error-type.ts";
import { type ConnectionTarget, withOwnConnection } from "./own-connection.ts";

/** The virtual database of PgBouncer's console. https://www.pgbouncer.org/usage.html#admin-console */
const CONSOLE = { database: "pgbouncer" };

/** How many clients a pooler takes, or why that is not known. */
export type PoolerLimit = { readonly maxClients: number } | { readonly notCompared: string };

/**
 * Asks PgBouncer for its `max_client_conn`. Its console lets in only `admin_users` and `stats_users`; other poolers have
 * none. Never rejects.
 */
export async function poolerLimit(target: ConnectionTarget, timeoutMillis: number): Promise<PoolerLimit> {
  const unknown = (reason: string) => ({
    notCompared: `process ids of connections are not the server's, as behind a connection pooler, and there is no max_client_conn to read from PgBouncer's console (${reason})`,
  });
  try {
    const { rows } = await withOwnConnection(
      target,
      timeoutMillis,
      (console) => console.query("SHOW CONFIG"),
      CONSOLE,
    );
    const maxClients = Number(rows.find((row) => row["key"] === "max_client_conn")?.["value"]);
    return Number.isSafeInteger(maxClients) && maxClients > 0
      ? { maxClients }
      : unknown("no max_client_conn");
  } catch (error) {
    return unknown(errorCode(error) ?? errorClass(error));
  }
}
