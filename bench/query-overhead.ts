/**
 * CPU time of one `pool.query` of a named `SELECT 1` on a real PostgreSQL: on a watched pool, on its bare twin, and on a
 * second bare twin that shows how far apart two equals measure here. They take turns in one process; what counts is the
 * median of the ratios of neighbours.
 */
import pg from "pg";
import { poolscope } from "poolscope";
import { startPostgres } from "../demo/postgres-server.ts";

const ROUNDS = 80;
const QUERIES = 2_000;
const CALLERS = 4;
const query = { name: "one", text: "SELECT 1" };

export async function queryOverhead(): Promise<void> {
  const { host, port, user, password, stop } = await startPostgres();
  const makePool = () => new pg.Pool({ host, port, user, password, database: "postgres", max: CALLERS });
  const pools = { bare: makePool(), watched: makePool(), "bare again": makePool() };
  const scope = poolscope();
  scope.watch(pools.watched, { name: "bench" });
  try {
    const names = Object.keys(pools) as (keyof typeof pools)[];
    for (const name of names) for (let round = 0; round < 4; round++) await measure(pools[name]);
    const micros = { bare: [] as number[], watched: [] as number[], "bare again": [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      const turns = round % 2 === 0 ? names : [...names].reverse();
      for (const name of turns) micros[name].push(await measure(pools[name]));
    }
    const [reading] = await scope.readings();
    const expected = (ROUNDS + 4) * QUERIES;
    if (reading?.checkouts !== expected)
      throw new Error(`counted ${reading?.checkouts} checkouts of ${expected}`);

    console.log(
      `query-overhead: ${QUERIES} × pool.query of a named SELECT 1, ${ROUNDS} rounds, CPU per query`,
    );
    for (const name of names) {
      const ratios = micros[name].map((value, round) => value / (micros.bare[round] as number));
      const range = `${Math.min(...micros[name]).toFixed(1)}–${Math.max(...micros[name]).toFixed(1)}`;
      console.log(
        `  ${name.padEnd(10)} ${median(micros[name]).toFixed(1)} µs (${range}), ratio ${median(ratios).toFixed(3)}`,
      );
    }
  } finally {
    await scope.shutdown();
    await Promise.all(Object.values(pools).map(endQuietly));
    await stop();
  }
}

async function measure(pool: pg.Pool): Promise<number> {
  const before = process.cpuUsage();
  const caller = async () => {
    for (let count = 0; count < QUERIES / CALLERS; count++) await pool.query(query);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / QUERIES;
}

async function endQuietly(pool: pg.Pool): Promise<void> {
  pool.on("error", () => {});
  await pool.end();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
