import { EventEmitter } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import pg from "pg";
import { type Poolscope, poolscope } from "poolscope";
import { scrape } from "../../test/support/exported.ts";
import { collectGarbage } from "../../test/support/garbage.ts";
import { until } from "../../test/support/until.ts";
import { makePools, use } from "../collect/pools.ts";
import { expectCount } from "../contestants/contestant.ts";
import { InstantServer } from "../support/instant-server.ts";

/** Nothing is watched where there is no scope: the bare twin. */
type Measure = (size: number, isWatched: boolean) => Promise<number>;

export type MeasureName = "perPool" | "perClient" | "afterPools" | "afterCheckouts";

const SAMPLES = 100;

/** In bytes. */
export const MEASURES: Readonly<Record<MeasureName, Measure>> = {
  /** Of one pool, with a history that is full of samples that differ. */
  async perPool(count, isWatched) {
    const scope = isWatched ? poolscope({ sampleIntervalMillis: 10, processes: 0 }) : undefined;
    const fill = async (pools: pg.Pool[], name: string) => {
      watch(scope, pools, name);
      const isFull = () => !scope || scope.history(`${name}-0`, SAMPLES).length === SAMPLES;
      await until(async () => {
        await use(pools);
        return isFull();
      }, 300_000);
    };
    // What a scope has once, whatever it watches.
    const [first, pools] = [makePools(1), makePools(count)];
    await fill(first, "first");
    await use(pools);
    const before = await bytesInUse();
    await fill(pools, "pool");
    const bytes = (await bytesInUse()) - before;
    if (scope) expectCount("readings that differ", differing(scope), SAMPLES);
    await end(scope, [...first, ...pools]);
    return bytes / count;
  },

  /** Of one connection handed out, beyond one that is idle. */
  async perClient(count, isWatched) {
    const scope = isWatched ? poolscope({ sampleIntervalMillis: 0, processes: 0 }) : undefined;
    const stream = () => new InstantServer() as never;
    const pool = new pg.Pool({ host: "127.0.0.1", stream, max: count, idleTimeoutMillis: 0 });
    watch(scope, [pool], "pool");
    const takeAll = () => Promise.all(Array.from({ length: count }, () => pool.connect()));
    for (const client of await takeAll()) client.release();
    const before = await bytesInUse();
    const clients = await takeAll();
    const bytes = (await bytesInUse()) - before;
    if (scope) expectCount("connections used", (await scope.readings())[0]?.used, count);
    for (const client of clients) client.release();
    await end(scope, [pool]);
    return bytes / count;
  },

  /** Left by one pool that was opened, watched, used, collected and ended. */
  async afterPools(count, isWatched) {
    const scope = isWatched ? poolscope({ sampleIntervalMillis: 0, processes: 0 }) : undefined;
    let seen: WeakRef<pg.Pool>[] = [];
    const round = async (name: string) => {
      const pools = makePools(count);
      seen = pools.map((pool) => new WeakRef(pool));
      watch(scope, pools, name);
      await use(pools);
      if (scope) expectCount("readings", (await scope.readings()).length, count);
      await Promise.all(pools.map((pool) => pool.end()));
      // What pools that are over have counted is told for some minutes more.
      await scope?.readings();
      advanceClock(10 * 60_000);
      for (let look = 0; look < 2; look++) await scope?.readings();
    };
    // Until the code is compiled, and tables have their size.
    for (const name of ["first", "second", "third"]) await round(name);
    const before = await bytesInUse();
    await round("last");
    const bytes = (await bytesInUse()) - before;
    expectCount("pools still in memory", seen.filter((pool) => pool.deref() !== undefined).length, 0);
    if (scope) expectCount("readings of pools that are gone", (await scope.readings()).length, 0);
    await scope?.shutdown();
    return bytes / count;
  },

  /** Left by all of so many checkouts; one in ten is explicit, with a stack. */
  async afterCheckouts(count, isWatched) {
    const scope = isWatched ? poolscope({ sampleIntervalMillis: 0, processes: 0 }) : undefined;
    const pool = new pg.Pool({ max: 1, idleTimeoutMillis: 0, Client: StubClient as never });
    watch(scope, [pool], "pool");
    await checkOut(pool, count / 20);
    const before = await bytesInUse();
    await checkOut(pool, count);
    const bytes = (await bytesInUse()) - before;
    if (scope) {
      const counted = (await scrape(scope)).value("pool-0", "poolscope_pool_checkouts_total");
      expectCount("checkouts", counted, count + count / 20);
    }
    await end(scope, [pool]);
    return bytes;
  },
};

async function checkOut(pool: pg.Pool, count: number): Promise<void> {
  for (let done = 0; done < count; done += 10) {
    for (let query = 0; query < 9; query++) await pool.query("SELECT 1");
    (await pool.connect()).release();
    // The stub never leaves the microtasks: this lets timers and finalizers have their turn.
    if (done % 100_000 === 0) await nextTurn();
  }
}

/** As much of a client as pg-pool needs. */
class StubClient extends EventEmitter {
  readonly _queryable = true;
  readonly _ending = false;
  connect(done: () => void): void {
    process.nextTick(done);
  }
  query(_text: string, _values: unknown, done: (error: null, result: object) => void): void {
    process.nextTick(done, null, { rows: [] });
  }
  end(done: () => void): void {
    process.nextTick(done);
  }
}

function advanceClock(millis: number): void {
  const now = performance.now.bind(performance);
  performance.now = () => now() + millis;
}

function watch(scope: Poolscope | undefined, pools: readonly pg.Pool[], name: string): void {
  for (const [index, pool] of pools.entries()) scope?.watch(pool, { name: `${name}-${index}` });
}

async function end(scope: Poolscope | undefined, pools: readonly pg.Pool[]): Promise<void> {
  await scope?.shutdown();
  await Promise.all(pools.map((pool) => pool.end()));
}

function differing(scope: Poolscope): number {
  return new Set(scope.history("pool-0", SAMPLES).map((sample) => JSON.stringify(sample))).size;
}

/** On the heap and outside of it, typed arrays among it, when nothing is left to collect. */
async function bytesInUse(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 6; time++) {
    await nextTurn();
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}
