/** As much of pg's Result as is needed. */
interface ResultLike {
  readonly fields?: readonly unknown[];
  readonly rows?: readonly unknown[];
  readonly rowCount?: number | null;
}

/**
 * How many rows came back; several statements in one text have several results, which add up. Undefined for statements
 * that return no rows at all, as an INSERT without RETURNING: what they affected was not returned.
 */
export function returnedRows(result: unknown): number | undefined {
  if (!Array.isArray(result)) return rowsOf(result as ResultLike | undefined);
  let total: number | undefined;
  for (const one of result) {
    const rows = rowsOf(one as ResultLike | undefined);
    if (rows !== undefined) total = (total ?? 0) + rows;
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

function rowsOf(result: ResultLike | undefined): number | undefined {
  if (!result?.fields?.length) return undefined;
  const fetched = result.rows?.length ?? 0;
  const count = result.rowCount ?? 0;
  // A number that the server gives, and anything else from a server that is none.
  if (!Number.isSafeInteger(count) || count < 0) return fetched || undefined;
  // Read in portions, `rowCount` is that of the last one; handed to listeners, `rows` stays empty.
  return Math.max(fetched, count);
}
