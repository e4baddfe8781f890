import { createRequire } from "node:module";
import type pg from "pg";

/** With different columns each. */
const STATEMENTS = 8;
const QUERIES = 200;

/**
 * Leaves a process as one of an application in steady use is, before anything counts. V8 compiles pg's own code for what
 * it has seen of it, and dearer once it has seen more: a bare twin that had only ever asked one thing was cheaper than any
 * application, and what happened once in the other twin, and never in this one, was taken for a cost of watching.
 *
 * @param pool Used by so many `callers` at once, as it will be when it counts
 * @param server Where a connection beside the pool is opened and closed, like those of a pool that has nothing to do. The
 * first one makes all queries after it dearer; poolscope opens one to ask the server for its `max_connections`.
 * @returns How many queries the pool was asked
 */
export async function liveIn(pool: pg.Pool, callers: number, server: pg.ClientConfig): Promise<number> {
  const { Client } = createRequire(import.meta.url)("pg") as typeof pg;
  const client = new Client(server);
  await client.connect();
  await client.end();
  let asked = 0;
  const caller = async () => {
    while (asked < QUERIES) await pool.query(statement(asked++ % STATEMENTS));
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return asked;
}

/**
 * pg notes each column of a result under its name, a string made anew for every answer, and V8 remembers the name of a
 * place in the code as long as there was one only. After a single statement each answer misses that memory, or none
 * does, as it happened while the code was compiled: equal processes were up to 4 µs a query apart.
 */
function statement(number: number): { readonly name: string; readonly text: string } {
  const columns = Array.from({ length: number + 1 }, (_, column) => `${column} AS c${number}_${column}`);
  return { name: `several-${number}`, text: `SELECT ${columns.join(", ")}` };
}
