/**
 * What watching adds to one checkout and one query, in nanoseconds of wall time, against a client that answers at once:
 * no network, so that the hooks show. Bare and watched take turns in one process.
 */
import { EventEmitter } from "node:events";
import pg from "pg";
import { type Poolscope, poolscope } from "poolscope";

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

export async function hookOverhead(): Promise<void> {
  console.log(`hook-overhead: ${TIMES} times, ${ROUNDS} rounds, a client without a network`);
  for (const [name, use] of Object.entries(cases)) {
    const [bare, poolOnly, everything] = [makePool(), makePool(), makePool()];
    const options = { sampleIntervalMillis: 0, processes: 0 };
    const scopes = [poolscope({ ...options, queries: "off" }), poolscope(options)] as const;
    scopes[0].watch(poolOnly, { name });
    scopes[1].watch(everything, { name });
    for (const pool of [bare, poolOnly, everything]) await measure(pool, use); // until the code is compiled
    const rounds: { bare: number; poolOnly: number; everything: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = await measure(bare, use);
      rounds.push({
        bare: before,
        poolOnly: (await measure(poolOnly, use)) - before,
        everything: (await measure(everything, use)) - before,
      });
    }
    await check(scopes[0], { queries: undefined });
    await check(scopes[1], { queries: name === "pool.query" ? (ROUNDS + 1) * TIMES : 0 });
    console.log(
      `  ${name}: bare ${spread(rounds.map((round) => round.bare))} ns; watching adds ` +
        `${spread(rounds.map((round) => round.everything))} ns, with queries off ` +
        `${spread(rounds.map((round) => round.poolOnly))} ns`,
    );
    await Promise.all(scopes.map((scope) => scope.shutdown()));
    await Promise.all([bare.end(), poolOnly.end(), everything.end()]);
  }
}

async function check(scope: Poolscope, { queries }: { queries: number | undefined }): Promise<void> {
  const [reading] = await scope.readings();
  const expected = (ROUNDS + 1) * TIMES;
  if (reading?.checkouts !== expected || reading.use.count !== expected) {
    throw new Error(`counted ${reading?.checkouts} checkouts of ${expected}`);
  }
  if (reading.query?.count !== queries)
    throw new Error(`counted ${reading.query?.count} queries of ${queries}`);
}

/** The median, and from where to where. */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b).map((value) => value.toFixed(0));
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted[0]}–${sorted.at(-1)})`;
}

function makePool(): pg.Pool {
  return new pg.Pool({ max: 1, idleTimeoutMillis: 0, Client: InstantClient as never });
}

async function measure(pool: pg.Pool, use: (pool: pg.Pool) => Promise<void>): Promise<number> {
  const before = process.hrtime.bigint();
  for (let time = 0; time < TIMES; time++) await use(pool);
  return Number(process.hrtime.bigint() - before) / TIMES;
}
