import type { PoolConfig } from "pg";
import { startPostgresProcess } from "./postgres-process.ts";

export interface Connection {
  /** What `pg.Pool` needs to connect. */
  readonly connection: PoolConfig;
  stop(): Promise<void>;
}

/** The PostgreSQL of `PGHOST`, whose other `PG…` variables pg reads by itself; without it, one of the demo's own. */
export async function connectionFrom(env: NodeJS.ProcessEnv): Promise<Connection> {
  if (env["PGHOST"]) return { connection: {}, stop: async () => {} };
  return startPostgresProcess();
}
