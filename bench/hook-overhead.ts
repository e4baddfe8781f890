/**
 * What watching and recycling add to one checkout, in nanoseconds of wall time, against a client that answers at once:
 * no network, so that the hooks show. Each takes turns with a bare twin in one process.
 */
import { EventEmitter } from "node:events";
import pg from "pg";
import { poolscope, recycle } from "poolscope";
import { scrape } from "../test/support/exported.ts";
import type { Bench, Cell, Effort } from "./harness/bench.ts";
import { figure } from "./harness/statistics.ts";

const EXTENT: Record<Effort, { readonly rounds: number; readonly times: number }> = {
  full: { rounds: 31, times: 30_000 },
  quick: { rounds: 15, times: 20_000 },
  smoke: { rounds: 1, times: 100 },
};

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

const cases: Record<string, (pool: pg.Pool) => Promise<void>> = {
  "pool.query": async (pool) => void (await pool.query("SELECT 1")),
  "connect and release, 12 calls deep": async (pool) => (await deep(pool, 12)).release(),
};

function deep(pool: pg.Pool, calls: number): Promise<pg.PoolClient> {
  return calls === 0 ? pool.connect() : deep(pool, calls - 1);
}

/** Attaches to a pool; the result checks that nothing was missed, or done that should not have been, and lets go. */
type Attach = (pool: pg.Pool, name: string) => (expected: number) => Promise<void>;

const attachments: Record<string, Attach> = {
  watching: (pool, name) => watching(pool, name, "poolscope"),
  "watching, queries off": (pool, name) => watching(pool, name, "off"),
  recycling: (pool) => {
    const recycling = recycle(pool);
    return async () => {
      if (recycling.pings > 0) throw new Error(`a busy pool was pinged ${recycling.pings} times`);
      recycling.stop();
    };
  },
};

function watching(pool: pg.Pool, name: string, queries: "poolscope" | "off"): ReturnType<Attach> {
  const scope = poolscope({ sampleIntervalMillis: 0, processes: 0, queries });
  scope.watch(pool, { name });
  return async (expected) => {
    const exported = await scrape(scope);
    const checkouts = exported.value(name, "poolscope_pool_checkouts_total");
    if (checkouts !== expected) throw new Error(`counted ${checkouts} checkouts of ${expected}`);
    const expectedQueries = queries === "off" ? undefined : name === "pool.query" ? expected : undefined;
    const counted = exported.value(name, "db_client_operation_duration_seconds_count");
    if (counted !== expectedQueries) throw new Error(`counted ${counted} queries of ${expectedQueries}`);
    await scope.shutdown();
  };
}

export const hookOverhead: Bench = async ({ effort, progress }) => {
  const rows: { name: string; cells: Cell[] }[] = [];
  for (const [name, use] of Object.entries(cases)) {
    for (const [what, attach] of Object.entries(attachments)) {
      progress(`${name}, ${what}`);
      rows.push({ name: `${name}; ${what}`, cells: await compare(name, use, attach, EXTENT[effort]) });
    }
  }
  return { tables: [{ title: "A client without a network", columns: ["bare ns", "added ns"], rows }] };
};

async function compare(
  name: string,
  use: (pool: pg.Pool) => Promise<void>,
  attach: Attach,
  { rounds, times }: { readonly rounds: number; readonly times: number },
): Promise<Cell[]> {
  const [bare, attached] = [makePool(), makePool()];
  const detach = attach(attached, name);
  const measure = async (pool: pg.Pool) => {
    const before = process.hrtime.bigint();
    for (let time = 0; time < times; time++) await use(pool);
    return Number(process.hrtime.bigint() - before) / times;
  };
  await measure(bare); // until the code is compiled
  await measure(attached);
  const [alone, added]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const before = await measure(bare);
    alone.push(before);
    added.push((await measure(attached)) - before);
  }
  await detach((rounds + 1) * times);
  await Promise.all([bare.end(), attached.end()]);
  return [figure(alone), figure(added)];
}

function makePool(): pg.Pool {
  return new pg.Pool({ max: 1, idleTimeoutMillis: 0, Client: StubClient as never });
}
