import { Pool, type PoolConfig } from "pg";
import { drain } from "poolscope";

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

/** Also pools that have ended, and those of a server that does not answer. */
export async function closePools({ orders, reports }: Pools, timeoutMillis: number): Promise<void> {
  await Promise.all([drain(orders, { timeoutMillis }), drain(reports, { timeoutMillis })]);
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
  // A connection lost while idle is logged here, and one lost while handed out only by the client itself: either event
  // ends the process without a listener. The pool opens another connection by itself. Those of a pool that ends are
  // closing while the server stops, which it calls an error.
  pool.on("error", (error) => {
    if (!pool.ending) console.error(`an idle connection was lost: ${error.message}`);
  });
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}
