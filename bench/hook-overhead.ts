/**
 * What watching and recycling add to one checkout, in nanoseconds of wall time, against a client that answers at once:
 * no network, so that the hooks show. Each takes turns with a bare twin in one process.
 */
import { EventEmitter } from "node:events";
import pg from "pg";
import { poolscope, recycle } from "poolscope";

const ROUNDS = 15;
const TIMES = 30_000;

/** As much of a client as pg-pool needs. */
class InstantClient extends EventEmitter {
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
  "watching, queries off,": (pool, name) => watching(pool, name, "off"),
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
    const [reading] = await scope.readings();
    if (reading?.checkouts !== expected || reading.use.count !== expected) {
      throw new Error(`counted ${reading?.checkouts} checkouts of ${expected}`);
    }
    const expectedQueries = queries === "off" ? undefined : name === "pool.query" ? expected : 0;
    if (reading.query?.count !== expectedQueries) throw new Error(`counted ${reading.query?.count} queries`);
    await scope.shutdown();
  };
}

export async function hookOverhead(): Promise<void> {
  console.log(`hook-overhead: ${TIMES} times, ${ROUNDS} rounds, a client without a network`);
  for (const [name, use] of Object.entries(cases)) {
    for (const [what, attach] of Object.entries(attachments)) await compare(name, use, what, attach);
  }
}

async function compare(
  name: string,
  use: (pool: pg.Pool) => Promise<void>,
  what: string,
  attach: Attach,
): Promise<void> {
  const [bare, attached] = [makePool(), makePool()];
  const detach = attach(attached, name);
  await measure(bare, use); // until the code is compiled
  await measure(attached, use);
  const pairs: [bare: number, added: number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await measure(bare, use);
    pairs.push([before, (await measure(attached, use)) - before]);
  }
  await detach((ROUNDS + 1) * TIMES);
  const added = pairs.map(([, nanos]) => nanos).sort((a, b) => a - b);
  const bareNanos = pairs.map(([nanos]) => nanos).sort((a, b) => a - b);
  const middle = Math.floor(ROUNDS / 2);
  console.log(
    `  ${name}: bare ${bareNanos[middle]?.toFixed(0)} ns, ${what} adds ${added[middle]?.toFixed(0)} ns ` +
      `(${added[0]?.toFixed(0)}–${added.at(-1)?.toFixed(0)})`,
  );
  await Promise.all([bare.end(), attached.end()]);
}

function makePool(): pg.Pool {
  return new pg.Pool({ max: 1, idleTimeoutMillis: 0, Client: InstantClient as never });
}

async function measure(pool: pg.Pool, use: (pool: pg.Pool) => Promise<void>): Promise<number> {
  const before = process.hrtime.bigint();
  for (let time = 0; time < TIMES; time++) await use(pool);
  return Number(process.hrtime.bigint() - before) / TIMES;
}
