import pg from "pg";
import { InstantServer } from "../support/instant-server.ts";

/** What has been asked of each pool: verbs and errors that each make a series of their own. */
const STATEMENTS = [
  "SELECT 1",
  "INSERT INTO orders VALUES (1)",
  "UPDATE orders SET id = 2",
  "DELETE FROM orders",
  "fail 23505",
  "fail 40001",
];

/** As many pools, each with a server of its own name that answers at once. */
export function makePools(count: number): pg.Pool[] {
  return Array.from({ length: count }, (_, index) => {
    const stream = () => new InstantServer() as never;
    const pool = new pg.Pool({ host: "127.0.0.1", database: `db${index}`, stream, idleTimeoutMillis: 0 });
    return pool.on("error", () => {});
  });
}

export async function use(pools: readonly pg.Pool[]): Promise<void> {
  for (const pool of pools) {
    const client = await pool.connect();
    for (const text of STATEMENTS) await client.query(text).catch(() => {});
    client.release();
  }
}

/** Queries made by one {@link use} of one pool. */
export const QUERIES: number = STATEMENTS.length;
