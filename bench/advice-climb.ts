/** Follows the size advice step by step on a PostgreSQL that is short of cores, and looks for where it ends. */
import pg from "pg";
import { poolscope, type SizeAdvice } from "poolscope";
import { startPostgres } from "../demo/postgres-server.ts";
import type { Cell, Effort, Table } from "./harness/bench.ts";

/** Nothing but work for a core. */
const WORK = "SELECT sum(i % 7) FROM generate_series(1, 20000) i";
/** More than any pool here has connections: it is always full. */
const CALLERS = 64;
/** Each twice the one before. */
const SIZES = [1, 2, 4, 8, 16, 32];
const MOST_STEPS = 12;
const MOST_TURNS = 5;
const SECONDS: Record<Effort, number> = { full: 4, quick: 2, smoke: 0.05 };
/** The advice looks at six or more. */
const SAMPLES_A_STEP = 10;

export async function climb(
  effort: Effort,
  progress: (what: string) => void,
): Promise<{ table: Table; reached: Record<string, number> }> {
  const { stop, ...server } = await startPostgres();
  try {
    const { host, port, user, password } = server;
    const config = { host, port, user, password, database: "postgres", idleTimeoutMillis: 0 };
    const steps = await follow(config, SECONDS[effort], progress);
    const rates = new Map<number, number>();
    const last = steps.at(-1)?.next ?? 1;
    for (const size of [...SIZES, last]) {
      progress(`${size} connections`);
      rates.set(
        size,
        Math.max(rates.get(size) ?? 0, await rateOf({ ...config, max: size }, SECONDS[effort])),
      );
    }
    const best = Math.max(...rates.values());
    // Those that are as good, within what a run differs from the next by: the curve is flat beyond the cores.
    const asGood = SIZES.filter((size) => (rates.get(size) ?? 0) >= 0.95 * best);
    const stepsOff = Math.min(
      ...asGood.map((size) => Math.abs(Math.round(Math.log2(last)) - Math.log2(size))),
    );
    const rows = steps.map(({ size, rate, advice }) => ({
      name: `advice followed, max ${size}`,
      cells: [rate, String(advice?.recommendedSize ?? "none"), advice?.limitedBy ?? "-"] as Cell[],
    }));
    for (const [size, rate] of rates) rows.push({ name: `not watched, max ${size}`, cells: [rate, "", ""] });
    return {
      table: {
        title: "A server short of cores, always more callers than connections",
        columns: COLUMNS,
        rows,
      },
      reached: effort === "smoke" ? {} : { kneeSteps: stepsOff, kneeRate: (rates.get(last) ?? 0) / best },
    };
  } finally {
    await stop();
  }
}

const COLUMNS = ["queries/s", "size advised", "limited by"];

interface Step {
  readonly size: number;
  readonly rate: number;
  readonly advice: SizeAdvice | undefined;
  readonly next: number;
}

/** Gives one pool the size advised, again and again, until the advice asks for no more. */
async function follow(
  config: pg.PoolConfig,
  seconds: number,
  progress: (what: string) => void,
): Promise<Step[]> {
  const sampleIntervalMillis = Math.max(10, Math.floor((1000 * seconds) / SAMPLES_A_STEP));
  const scope = poolscope({ sampleIntervalMillis, processes: 0 });
  const pool = new pg.Pool({ ...config, max: 1 });
  scope.watch(pool, { name: "orders" });
  const steps: Step[] = [];
  for (let size = 1; steps.length < MOST_STEPS; ) {
    progress(`advice followed, max ${size}`);
    pool.options.max = size;
    let rate = await ask(pool, seconds);
    let advice = scope.history("orders").at(-1)?.advice;
    // On a slow machine one turn may not be enough for the first advice.
    for (let more = 0; !advice && more < MOST_TURNS; more++) {
      rate = await ask(pool, seconds);
      advice = scope.history("orders").at(-1)?.advice;
    }
    const next = advice?.recommendedSize ?? size;
    steps.push({ size, rate, advice, next });
    if (next <= size) break;
    size = Math.min(next, CALLERS);
  }
  await scope.shutdown();
  await pool.end();
  return steps;
}

async function rateOf(config: pg.PoolConfig, seconds: number): Promise<number> {
  const pool = new pg.Pool(config);
  await ask(pool, seconds / 4);
  const rate = await ask(pool, seconds);
  await pool.end();
  return rate;
}

/** @returns Queries a second. */
async function ask(pool: pg.Pool, seconds: number): Promise<number> {
  const began = performance.now();
  let done = 0;
  const caller = async () => {
    while (performance.now() - began < 1000 * seconds) {
      await pool.query(WORK);
      done++;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return done / ((performance.now() - began) / 1000);
}
