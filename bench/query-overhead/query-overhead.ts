import type pg from "pg";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import { BESIDE_BARE } from "../contestants/contestants.ts";
import type { Bench, Effort, Situation, Table } from "../harness/bench.ts";
import { Comparison, type Pair } from "../harness/pairs.ts";
import { besideBareTwins, type Extent, type Pairs } from "../harness/twins.ts";
import { SCENARIOS, type ScenarioName } from "./scenarios.ts";
import type { Argument, Sample } from "./worker.ts";

interface Backend {
  readonly title: string;
  readonly account: pg.PoolConfig | null;
  readonly callers: number;
  readonly scenarios: readonly ScenarioName[];
  /** In one turn: about 80 ms, so that neighbours meet the same machine. */
  readonly queries: number;
}

const EXTENT: Record<Effort, Extent> = {
  full: { generations: 3, rounds: 12, warmUps: 10 },
  quick: { generations: 2, rounds: 12, warmUps: 10 },
  smoke: { generations: 1, rounds: 1, warmUps: 0 },
};
/** Part of a backend's queries in a turn. */
const SHARE: Record<Effort, number> = { full: 1, quick: 1, smoke: 0.03 };

/** One of each kind. */
const FEW = BESIDE_BARE.filter((name) => !/again|only|no spans/.test(name));
const MODULE = new URL("./worker.ts", import.meta.url);

export const queryOverhead: Bench = async (situation) => {
  const server = await startPostgres();
  try {
    const tables: Table[] = [];
    const reached: Record<string, number> = {};
    for (const [name, backend] of Object.entries(backends(server))) {
      if (situation.effort === "smoke" && name !== "busy") continue;
      for (const scenario of backend.scenarios.slice(0, situation.effort === "smoke" ? 1 : undefined)) {
        if (!situation.isWanted(`${name}.${scenario}`)) continue;
        const pairs = await measure(scenario, backend, situation);
        tables.push(table(`${SCENARIOS[scenario].title}; ${backend.title}`, pairs));
        const ours = compare(pairs["poolscope"], "cpu");
        const theirs = compare(pairs["instrumentation-pg"], "cpu");
        reached[`${name}.${scenario}.cpu`] = ours.ratio.median;
        reached[`${name}.${scenario}.added`] = ours.added.median / theirs.added.median;
      }
    }
    return { tables, reached };
  } finally {
    await server.stop();
  }
};

function backends({ host, port, user, password }: PostgresServer): Record<string, Backend> {
  const account = { host, port, user, password, database: "postgres" };
  const scenarios = Object.keys(SCENARIOS) as ScenarioName[];
  const promises = scenarios.filter((name) => !name.endsWith("Callback"));
  return {
    postgres: { title: "PostgreSQL, one caller", account, callers: 1, scenarios, queries: 1_000 },
    busy: { title: "PostgreSQL, four callers", account, callers: 4, scenarios: promises, queries: 3_000 },
    instant: { title: "no network, four callers", account: null, callers: 4, scenarios, queries: 4_000 },
  };
}

function measure(
  scenario: ScenarioName,
  { title, account, callers, queries }: Backend,
  { effort, progress }: Situation,
): Promise<Pairs<Sample>> {
  return besideBareTwins({
    contestants: effort === "smoke" ? FEW : BESIDE_BARE,
    extent: EXTENT[effort],
    module: MODULE,
    argument: (contestant): Argument => ({ contestant, scenario, callers, account }),
    input: callers * Math.ceil((SHARE[effort] * queries) / callers),
    progress: (what) => progress(`${SCENARIOS[scenario].title}; ${title}; ${what}`),
  });
}

function compare(pairs: readonly Pair<Sample>[] | undefined, value: keyof Sample): Comparison<Sample> {
  return new Comparison(pairs ?? [], (sample) => sample[value]);
}

function table(title: string, pairs: Pairs<Sample>): Table {
  const peer = compare(pairs["instrumentation-pg"], "cpu").added.median;
  return {
    title,
    columns: [
      "CPU µs",
      "CPU / bare",
      "of the quiet turns",
      "by generation",
      "added CPU µs",
      "of instrumentation-pg's",
      "wall / bare",
    ],
    rows: [
      {
        name: "bare",
        cells: [compare(Object.values(pairs).flat(), "cpu").bare, null, null, null, null, null, null],
      },
      ...Object.entries(pairs).map(([name, of]) => {
        const [cpu, wall] = [compare(of, "cpu"), compare(of, "wall")];
        const added = cpu.added.median;
        return {
          name,
          cells: [
            cpu.other,
            cpu.ratio,
            cpu.quietRatio,
            cpu.ratioByGeneration,
            added,
            added / peer,
            wall.ratio.median,
          ],
        };
      }),
    ],
  };
}
