import { type Profiler, Session } from "node:inspector/promises";
import { createRequire } from "node:module";
import type pg from "pg";
import { CONTESTANTS } from "../contestants/contestants.ts";
import { median } from "../harness/statistics.ts";
import type { Start } from "../harness/task.ts";
import { SCENARIOS, type ScenarioName } from "../query-overhead/scenarios.ts";
import { InstantServer } from "../support/instant-server.ts";

export interface Argument {
  readonly contestant: string;
  readonly scenario: ScenarioName;
}

export interface Input {
  /** `cold`: before each query more memory is written than the caches nearest to the core hold. */
  readonly kind: "warm" | "cold" | "profiled";
  readonly queries: number;
}

/** Nanoseconds a query. */
export interface Sample {
  readonly nanos: number;
  /** Of poolscope's functions, those inlined in others too; only where profiled. */
  readonly functions: Readonly<Record<string, number>>;
}

const COLD_BYTES = 4 * 2 ** 20;
const CACHE_LINE = 64;

export const start: Start<Argument, Input, Sample> = async ({ contestant, scenario }) => {
  const install = await CONTESTANTS[contestant]?.load();
  if (!install) throw new Error(`no contestant ${contestant}`);
  const { pool, check } = await install(() => {
    const { Pool } = createRequire(import.meta.url)("pg") as typeof pg;
    const stream = () => new InstantServer() as never;
    return new Pool({ host: "127.0.0.1", database: "bench", stream, max: 1, idleTimeoutMillis: 600_000 });
  });
  const { run } = SCENARIOS[scenario];
  let done = 0;
  return {
    async round({ kind, queries }) {
      done += queries;
      if (kind === "profiled") return profiled(queries, () => run(pool, queries));
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

async function profiled(queries: number, act: () => Promise<void>): Promise<Sample> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 100 });
  await session.post("Profiler.start");
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  const nanos = ((user + system) * 1000) / queries;
  return { nanos, functions: sharesOf(profile, nanos) };
}

/** Of every function of poolscope's, the part of the samples that were taken in it. */
function sharesOf({ nodes, samples = [] }: Profiler.Profile, nanos: number): Record<string, number> {
  const poolscope = import.meta.resolve("poolscope");
  const names = new Map(
    nodes
      .filter(({ callFrame }) => callFrame.url === poolscope)
      .map(({ id, callFrame }) => [id, callFrame.functionName || "(anonymous)"]),
  );
  const shares: Record<string, number> = {};
  for (const sample of samples) {
    const name = names.get(sample);
    if (name !== undefined) shares[name] = (shares[name] ?? 0) + nanos / samples.length;
  }
  return shares;
}
