import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Writable } from "node:stream";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { type Poolscope, type PoolscopeOptions, poolscope } from "poolscope";
import { call, Exported } from "../../test/support/exported.ts";
import { expectCount } from "../contestants/contestant.ts";
import { median } from "../harness/statistics.ts";
import type { Start } from "../harness/task.ts";
import { makePools, QUERIES, use } from "./pools.ts";

export interface Argument {
  readonly pools: number;
  /** Whether the metrics live in the application's MeterProvider, with histograms of the SDK. */
  readonly isInSdk: boolean;
}

/** CPU microseconds of one, the median of several, and the length of the text. */
export interface Sample {
  readonly readings: number;
  readonly text: number;
  readonly bytes: number;
}

/** Uses between two collections, so that there is something new in each. */
export const start: Start<Argument, number, Sample> = async ({ pools: count, isInSdk }) => {
  const scope = poolscope({ ...quiet, ...(isInSdk ? sdk() : {}) });
  const pools = makePools(count);
  for (const [index, pool] of pools.entries()) scope.watch(pool, { name: `pool-${index}` });
  await use(pools);
  let uses = 1;
  return {
    async round(times) {
      await use(pools);
      uses++;
      const readings = await repeat(times, () => scope.readings());
      const handler = scope.metrics({ cacheMillis: 0 });
      let bytes = 0;
      const text = await repeat(times, async () => {
        bytes = await answered(handler);
      });
      return { readings, text, bytes };
    },
    async finish() {
      const exported = new Exported(await textOf(scope));
      const counts = Object.values(exported.queries()).reduce((sum, queries) => sum + queries, 0);
      expectCount("queries", counts, uses * count * QUERIES);
      expectCount("readings", (await scope.readings()).length, count);
      await scope.shutdown();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
};

/** Nothing of its own accord, so that nothing else is measured. */
const quiet: PoolscopeOptions = { sampleIntervalMillis: 0, processes: 0, otlp: false };

function sdk(): PoolscopeOptions {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  return { otlp: undefined, reader, meterProvider: new MeterProvider({ readers: [reader] }) };
}

async function textOf(scope: Poolscope): Promise<string> {
  const { status, body } = await call(scope.metrics());
  if (status !== 200) throw new Error(`the scrape answered ${status}: ${body}`);
  return body;
}

/** How long the answer is. Nobody reads it: that is the scraper's affair. */
export async function answered(handler: ReturnType<Poolscope["metrics"]>): Promise<number> {
  const response = new Discarded();
  handler({ method: "GET" } as IncomingMessage, response as unknown as ServerResponse);
  await once(response, "finish");
  return response.bytes;
}

class Discarded extends Writable {
  bytes = 0;

  setHeader(): void {}

  override _write({ length }: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytes += length;
    done();
  }
}

async function repeat(times: number, act: () => Promise<unknown>): Promise<number> {
  const micros: number[] = [];
  for (let time = 0; time < times; time++) {
    const before = process.cpuUsage();
    await act();
    const { user, system } = process.cpuUsage(before);
    micros.push(user + system);
  }
  return median(micros);
}
