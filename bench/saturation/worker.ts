import { createRequire } from "node:module";
import type pg from "pg";
import { CONTESTANTS } from "../contestants/contestants.ts";
import { quantile } from "../harness/statistics.ts";
import { LEAD_IN, type Start } from "../harness/task.ts";
import { liveIn } from "../support/lived-in.ts";

const CALLERS = 64;
const CONNECTIONS = 10;
const QUERY = { name: "one", text: "SELECT 1" };

export interface Argument {
  readonly contestant: string;
  readonly account: pg.PoolConfig;
}

export interface Sample {
  readonly queriesPerSecond: number;
  /** Of this process, which is what limits it. Other processes of the machine take less part in it. */
  readonly queriesPerCpuSecond: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
}

export const start: Start<Argument, number, Sample> = async ({ contestant, account }) => {
  const install = await CONTESTANTS[contestant]?.load();
  if (!install) throw new Error(`no contestant ${contestant}`);
  const { pool, check } = await install(() => {
    const { Pool } = createRequire(import.meta.url)("pg") as typeof pg;
    return new Pool({ ...account, max: CONNECTIONS, idleTimeoutMillis: 600_000 }).on("error", () => {});
  });
  let done = await liveIn(pool, CALLERS, account);
  const saturate = async (began: number, millis: number): Promise<number[]> => {
    const latencies: number[] = [];
    const caller = async () => {
      for (let asked = began; asked - began < millis; ) {
        await pool.query(QUERY);
        const answered = performance.now();
        latencies.push(answered - asked);
        asked = answered;
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    done += latencies.length;
    return latencies;
  };
  return {
    async round(millis) {
      await saturate(performance.now(), LEAD_IN * millis);
      const before = process.cpuUsage();
      const began = performance.now();
      const latencies = await saturate(began, millis);
      const seconds = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(before);
      return {
        queriesPerSecond: latencies.length / seconds,
        queriesPerCpuSecond: latencies.length / ((user + system) / 1e6),
        p50Millis: quantile(latencies, 0.5),
        p99Millis: quantile(latencies, 0.99),
      };
    },
    async finish() {
      await check({ checkouts: done, queries: done });
      await pool.end();
    },
  };
};
