import pg from "pg";
import { poolscope } from "poolscope";
import { scrape } from "../../test/support/exported.ts";
import { expectCount } from "../contestants/contestant.ts";
import { quantile } from "../harness/statistics.ts";
import type { Start } from "../harness/task.ts";
import { InstantServer } from "../support/instant-server.ts";
import { calibrate } from "./calibration.ts";

export type CaseName = "poolQuery" | "explicit";

/** CPU nanoseconds of one. */
export interface Measured {
  readonly calibration: number;
  readonly bare: number;
  readonly watched: number;
}

const QUERY = { name: "one", text: "SELECT 1" };

const CASES: Readonly<Record<CaseName, (pool: pg.Pool, times: number) => Promise<void>>> = {
  async poolQuery(pool, times) {
    for (let time = 0; time < times; time++) await pool.query(QUERY);
  },
  async explicit(pool, times) {
    for (let time = 0; time < times; time++) {
      const client = await pool.connect();
      await client.query(QUERY);
      client.release();
    }
  },
};

/** Turns are short, and of each kind the quiet ones count: what disturbs them only adds to them. */
const TIMES = 500;
const QUIET = 0.2;

export const start: Start<CaseName, number, Measured> = async (name) => {
  const run = CASES[name];
  const [bare, watched] = [makePool(), makePool()];
  const scope = poolscope({ processes: 0 });
  scope.watch(watched, { name: "bench" });
  let queries = 0;
  const turns = {
    calibration: () => calibrate(TIMES),
    bare: () => run(bare, TIMES),
    watched: () => {
      queries += TIMES;
      return run(watched, TIMES);
    },
  };
  return {
    async round(rounds) {
      const nanos = { calibration: [] as number[], bare: [] as number[], watched: [] as number[] };
      for (let round = 0; round < rounds; round++) {
        for (const kind of ["calibration", "bare", "watched"] as const) {
          const before = process.cpuUsage();
          await turns[kind]();
          const { user, system } = process.cpuUsage(before);
          nanos[kind].push(((user + system) * 1000) / TIMES);
        }
      }
      const quiet = (kind: keyof typeof nanos) => quantile(nanos[kind], QUIET);
      return { calibration: quiet("calibration"), bare: quiet("bare"), watched: quiet("watched") };
    },
    async finish() {
      const exported = await scrape(scope);
      const counted = (metric: string) => exported.value("bench", metric);
      expectCount("checkouts", counted("poolscope_pool_checkouts_total"), queries);
      expectCount("queries", counted("db_client_operation_duration_seconds_count"), queries);
      await scope.shutdown();
      await Promise.all([bare.end(), watched.end()]);
    },
  };
};

function makePool(): pg.Pool {
  const server = { host: "127.0.0.1", database: "bench", stream: () => new InstantServer() as never };
  return new pg.Pool({ ...server, max: 1, idleTimeoutMillis: 0 });
}
