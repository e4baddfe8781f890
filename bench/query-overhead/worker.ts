import { createRequire } from "node:module";
import type pg from "pg";
import { CONTESTANTS } from "../contestants/contestants.ts";
import { LEAD_IN, type Start } from "../harness/task.ts";
import { InstantServer } from "../support/instant-server.ts";
import { liveIn } from "../support/lived-in.ts";
import { SCENARIOS, type ScenarioName } from "./scenarios.ts";

export interface Argument {
  readonly contestant: string;
  readonly scenario: ScenarioName;
  /** As many as the pool has connections: nobody waits for anybody. */
  readonly callers: number;
  /** A client whose server answers at once where there is no account. */
  readonly account: pg.PoolConfig | null;
}

/** Per query, in microseconds. */
export interface Sample {
  readonly cpu: number;
  readonly wall: number;
}

export const start: Start<Argument, number, Sample> = async ({ contestant, scenario, callers, account }) => {
  const install = await CONTESTANTS[contestant]?.load();
  if (!install) throw new Error(`no contestant ${contestant}`);
  const server = account ?? {
    host: "127.0.0.1",
    database: "bench",
    stream: () => new InstantServer() as never,
  };
  const { pool, check } = await install(() => {
    const { Pool } = createRequire(import.meta.url)("pg") as typeof pg;
    const pool = new Pool({ ...server, max: callers, idleTimeoutMillis: 600_000 });
    return pool.on("error", () => {});
  });
  const { run } = SCENARIOS[scenario];
  let done = await liveIn(pool, callers, server);
  const query = async (times: number) => {
    await Promise.all(Array.from({ length: callers }, () => run(pool, times / callers)));
    done += times;
  };
  return {
    async round(queries) {
      await query(callers * Math.ceil((LEAD_IN * queries) / callers));
      const began = process.hrtime.bigint();
      const before = process.cpuUsage();
      await query(queries);
      const { user, system } = process.cpuUsage(before);
      const nanos = Number(process.hrtime.bigint() - began);
      return { cpu: (user + system) / queries, wall: nanos / 1000 / queries };
    },
    async finish() {
      await check({ checkouts: done, queries: done });
      await pool.end();
    },
  };
};
