/** What the application gave to `client.query`: a text, a config, or an object that submits itself. */
export type GivenQuery = string | QueryObject | null | undefined;

interface QueryObject {
  readonly [key: string]: unknown;
  readonly text?: unknown;
  /** Of a prepared statement. */
  readonly name?: unknown;
  readonly submit?: unknown;
  /** pg-query-stream keeps the text here. */
  readonly cursor?: { readonly text?: unknown };
}

/** The SQL, where there is one. */
export function textOf(query: GivenQuery): string {
  if (typeof query === "string") return query;
  const text = query?.text ?? query?.cursor?.text;
  return typeof text === "string" ? text : "";
}
