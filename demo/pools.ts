import { once } from "node:events";
import { Pool, type PoolConfig } from "pg";

export interface Pools {
  readonly orders: Pool;
  readonly reports: Pool;
}

/** Two pools for two kinds of work, so that slow reports cannot take the connections that orders need. */
export function openPools(connection: PoolConfig): Pools {
  return {
    orders: open({ ...connection, max: 10, min: 4, connectionTimeoutMillis: 2000 }),
    reports: open({ ...connection, max: 4, connectionTimeoutMillis: 1500 }),
  };
}

export async function closePools({ orders, reports }: Pools): Promise<void> {
  await Promise.all([close(orders), close(reports)]);
}

/** Several demos may share a database and start at once: the lock is held until the end of all these statements. */
export async function createTables({ orders }: Pools): Promise<void> {
  await orders.query(`
    SELECT pg_advisory_xact_lock(1);
    CREATE TABLE IF NOT EXISTS orders (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      item text NOT NULL,
      ordered_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS payments (
      order_id bigint PRIMARY KEY REFERENCES orders (id),
      paid_at timestamptz NOT NULL DEFAULT now()
    );
  `);
}

function open(config: PoolConfig): Pool {
  const pool = new Pool(config);
  // A connection lost while idle is said here, and one lost while handed out only by the client itself: either event
  // ends the process when nobody listens. The pool opens another connection by itself.
  pool.on("error", (error) => console.error(`an idle connection was lost: ${error.message}`));
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** `end()` resolves while connections are still closing. A server stopped meanwhile would call that an error. */
async function close(pool: Pool): Promise<void> {
  let open = pool.totalCount;
  pool.on("remove", () => open--);
  await pool.end();
  while (open > 0) await once(pool, "remove");
}
