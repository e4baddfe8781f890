import { monitorPgPool } from "@christiangalsterer/node-postgres-prometheus-exporter";
import { Registry } from "prom-client";
import { type Contestant, expectCount } from "./contestant.ts";

export const prometheusExporter: Contestant = async (makePool) => {
  const pool = makePool();
  const register = new Registry();
  monitorPgPool(pool, register);
  const value = async (name: string) => (await register.getSingleMetric(name)?.get())?.values[0]?.value;
  return {
    pool,
    async check() {
      expectCount("open connections", await value("pg_pool_size"), pool.totalCount);
      expectCount("connections in use", await value("pg_pool_active_connections"), 0);
    },
  };
};
