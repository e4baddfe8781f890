import { getOrCreate } from "../get-or-create.ts";
import type { HookableClient } from "../watch/pg-types.ts";

/**
 * `standard_conforming_strings` of a connection: whether a backslash in `'…'` is an ordinary character ("on",
 * PostgreSQL's default) or saves the quote behind it ("off").
 * https://www.postgresql.org/docs/current/runtime-config-compatible.html#GUC-STANDARD-CONFORMING-STRINGS
 */
export type ConformingStrings = "on" | "off" | "unknown";

type Report = (setting: ConformingStrings) => void;

/** One listener a client, however many scopes follow it. */
const followed = new WeakMap<object, { readonly reports: Set<Report>; readonly unlisten: () => void }>();

/**
 * The server reports the setting when a connection opens, and each time it changes: nothing is done for a query. Unknown
 * are connections that were open before, and those of clients without a wire to listen to (`pg.native`).
 *
 * @returns Lets go of the client
 */
export function followConformingStrings(client: object, report: Report): () => void {
  const { reports } = getOrCreate(followed, client, () => listen(client as HookableClient));
  reports.add(report);
  return () => {
    reports.delete(report);
    if (reports.size > 0) return;
    followed.get(client)?.unlisten();
    followed.delete(client);
  };
}

function listen({ connection }: HookableClient): { reports: Set<Report>; unlisten: () => void } {
  const reports = new Set<Report>();
  const listener = (message?: { readonly parameterName?: unknown; readonly parameterValue?: unknown }) => {
    if (message?.parameterName !== "standard_conforming_strings") return;
    const { parameterValue: value } = message;
    for (const report of reports) report(value === "on" || value === "off" ? value : "unknown");
  };
  connection?.on?.("parameterStatus", listener);
  return { reports, unlisten: () => connection?.removeListener?.("parameterStatus", listener) };
}
