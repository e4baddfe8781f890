import type { HookableClient } from "../watch/pg-types.ts";

/**
 * `standard_conforming_strings` of a connection: whether a backslash in `'…'` is an ordinary character ("on",
 * PostgreSQL's default) or saves the quote behind it ("off").
 * https://www.postgresql.org/docs/current/runtime-config-compatible.html#GUC-STANDARD-CONFORMING-STRINGS
 */
export type ConformingStrings = "on" | "off" | "unknown";

/**
 * The server reports the setting when a connection opens, and each time it changes: nothing is done for a query. Unknown
 * are connections that were open before, and those of clients without a wire to listen to (`pg.native`).
 *
 * @returns Lets go of the client
 */
export function followConformingStrings(
  client: object,
  report: (setting: ConformingStrings) => void,
): () => void {
  const { connection } = client as HookableClient;
  const listener = (message?: { readonly parameterName?: unknown; readonly parameterValue?: unknown }) => {
    if (message?.parameterName !== "standard_conforming_strings") return;
    const { parameterValue: value } = message;
    report(value === "on" || value === "off" ? value : "unknown");
  };
  connection?.on?.("parameterStatus", listener);
  return () => connection?.removeListener?.("parameterStatus", listener);
}
