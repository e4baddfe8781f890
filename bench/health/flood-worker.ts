import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { type Poolscope, poolscope } from "poolscope";
import { makePools, use } from "../collect/pools.ts";
import type { Start } from "../harness/task.ts";

export interface Argument {
  readonly pools: number;
  /** Whose answer the static twin gives, from one Buffer made at the start. */
  readonly path: string;
}

/** What it cost since the last beginning. */
export interface Cost {
  readonly port: number;
  readonly cpuMicros: number;
  /** At the highest; and beyond what the process had then. */
  readonly peakBytes: number;
  readonly grownBytes: number;
  readonly lagMillis: number;
}

/** Whether what follows counts from here. */
export type Input = "begin" | "look";

const HISTORY = 100;
const SAMPLE_MILLIS = 40;
const LOOK_MILLIS = 10;

/** Both twins: pools under watch with full histories, `/metrics`, `/health`, and the text of one of them at `/static`. */
export const start: Start<Argument, Input, Cost> = async ({ pools: count, path }) => {
  const pools = makePools(count);
  const { scope, stopSampling } = sampledScope();
  for (const [index, pool] of pools.entries()) scope.watch(pool, { name: `pool-${index}` });
  await use(pools);
  while (scope.history(`pool-${count - 1}`, HISTORY).length < HISTORY) await sleep(SAMPLE_MILLIS);
  stopSampling();

  const app = express();
  app.use("/health", scope.health());
  app.use("/metrics", scope.metrics());
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  const body = Buffer.from(await answer.arrayBuffer());
  app.get("/static", (_request, response) => {
    response.statusCode = answer.status;
    response.setHeader("Content-Type", answer.headers.get("content-type") ?? "");
    response.setHeader("Content-Length", body.length);
    response.end(body);
  });

  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  let [cpu, rss, peak, peakBefore] = [process.cpuUsage(), 0, 0, 0];
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const looks = setInterval(look, LOOK_MILLIS);
  return {
    round(input) {
      look();
      // Seen by the system even while the loop stood still; but of the whole life of the process.
      const peakEver = process.resourceUsage().maxRSS * 1024;
      const { user, system } = process.cpuUsage(cpu);
      const peakBytes = peakEver > peakBefore ? peakEver : peak;
      const grownBytes = peakBytes - rss;
      const cost = { port, cpuMicros: user + system, peakBytes, grownBytes, lagMillis: loop.max / 1e6 };
      if (input === "begin") {
        loop.reset();
        cpu = process.cpuUsage();
        rss = process.memoryUsage.rss();
        peak = rss;
        peakBefore = peakEver;
      }
      return cost;
    },
    async finish() {
      clearInterval(looks);
      loop.disable();
      server.close().closeAllConnections();
      await scope.shutdown();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
};

/** Sampled until its histories are full, and not while it counts: a slower twin would be sampled more often for a request. */
function sampledScope(): { scope: Poolscope; stopSampling: () => void } {
  const { setInterval } = globalThis;
  let samples: NodeJS.Timeout | undefined;
  globalThis.setInterval = ((act: () => void, millis?: number) => {
    const timer = setInterval(act, millis);
    if (millis === SAMPLE_MILLIS) samples = timer;
    return timer;
  }) as typeof setInterval;
  const scope = poolscope({ processes: 0, otlp: false, sampleIntervalMillis: SAMPLE_MILLIS });
  globalThis.setInterval = setInterval;
  return { scope, stopSampling: () => clearInterval(samples) };
}
