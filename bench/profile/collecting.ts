import { poolscope } from "poolscope";
import { makePools, use } from "../collect/pools.ts";
import { answered } from "../collect/worker.ts";
import { expectCount } from "../contestants/contestant.ts";
import type { Start } from "../harness/task.ts";
import { type Shares, sampled } from "./sampled.ts";

export interface Argument {
  readonly pools: number;
}

export interface Input {
  readonly kind: "readings" | "text";
  readonly times: number;
}

/** Microseconds a pool, of one collection. */
export const start: Start<Argument, Input, Shares> = async ({ pools: count }) => {
  const scope = poolscope({ sampleIntervalMillis: 0, processes: 0, otlp: false });
  const pools = makePools(count);
  for (const [index, pool] of pools.entries()) scope.watch(pool, { name: `pool-${index}` });
  await use(pools);
  const acts = { readings: () => scope.readings(), text: () => answered(scope.metrics()) };
  return {
    async round({ kind, times }) {
      await use(pools);
      const repeated = async () => {
        for (let time = 0; time < times; time++) await acts[kind]();
      };
      await repeated(); // until the code is compiled
      return sampled(count * times, repeated);
    },
    async finish() {
      expectCount("readings", (await scope.readings()).length, count);
      await scope.shutdown();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
};
