import type pg from "pg";

const STATEMENTS = 8;
const TIMES = 25;

/**
 * Queries as different as those of an application, before any counts. pg notes each column of a result under its name,
 * a string made anew for every answer, and V8 remembers the name of a place in the code as long as there was one only.
 * After a single statement each answer misses that memory, or none does, as it happened while the code was compiled:
 * without this, equal processes were up to 4 µs a query apart, for as long as they lived.
 *
 * @returns How many queries that were
 */
export async function useSeveralStatements(pool: pg.Pool): Promise<number> {
  for (let query = 0; query < STATEMENTS * TIMES; query++) {
    const statement = query % STATEMENTS;
    const columns = Array.from(
      { length: statement + 1 },
      (_, column) => `${column} AS c${statement}_${column}`,
    );
    await pool.query({ name: `several-${statement}`, text: `SELECT ${columns.join(", ")}` });
  }
  return STATEMENTS * TIMES;
}
