import { createRequire } from "node:module";
import type pg from "pg";
import { CONTESTANTS } from "../contestants/contestants.ts";
import { median } from "../harness/statistics.ts";
import type { Start } from "../harness/task.ts";
import { SCENARIOS, type ScenarioName } from "../query-overhead/scenarios.ts";
import { InstantServer } from "../support/instant-server.ts";
import { liveIn } from "../support/lived-in.ts";
import { type Shares, sampled } from "./sampled.ts";

export interface Argument {
  readonly contestant: string;
  readonly scenario: ScenarioName;
  readonly callers: number;
  readonly connections: number;
}

export interface Input {
  /** `cold`: before each query more memory is written than the caches nearest to the core hold. */
  readonly kind: "warm" | "cold" | "profiled";
  readonly queries: number;
}

/** Nanoseconds a query. */
export interface Sample {
  readonly nanos: number;
  /** Only where profiled. */
  readonly functions: Shares;
}

const COLD_BYTES = 4 * 2 ** 20;
const CACHE_LINE = 64;

export const start: Start<Argument, Input, Sample> = async ({
  contestant,
  scenario,
  callers,
  connections,
}) => {
  const install = await CONTESTANTS[contestant]?.load();
  if (!install) throw new Error(`no contestant ${contestant}`);
  const server = { host: "127.0.0.1", database: "bench", stream: () => new InstantServer() as never };
  const { pool, check } = await install(() => {
    const { Pool } = createRequire(import.meta.url)("pg") as typeof pg;
    return new Pool({ ...server, max: connections, idleTimeoutMillis: 600_000 });
  });
  const { run } = SCENARIOS[scenario];
  let done = await liveIn(pool, callers, server);
  return {
    async round({ kind, queries }) {
      done += queries;
      if (kind === "profiled") {
        const caller = () => run(pool, queries / callers);
        const functions = await sampled(queries / 1_000, () =>
          Promise.all(Array.from({ length: callers }, caller)),
        );
        return { nanos: 0, functions };
      }
      const nanos: number[] = [];
      for (let query = 0; query < queries; query++) {
        if (kind === "cold") useCaches();
        const before = process.hrtime.bigint();
        await run(pool, 1);
        nanos.push(Number(process.hrtime.bigint() - before));
      }
      return { nanos: median(nanos), functions: {} };
    },
    async finish() {
      await check({ checkouts: done, queries: done });
      await pool.end();
    },
  };
};

const used = new Uint8Array(COLD_BYTES);

function useCaches(): void {
  for (let at = 0; at < used.length; at += CACHE_LINE) used[at] = (used[at] as number) + 1;
}
