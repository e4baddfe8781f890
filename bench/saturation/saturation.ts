import { startPostgres } from "../../demo/postgres-server.ts";
import { CONTESTANTS } from "../contestants/contestants.ts";
import type { Bench, Effort, Table } from "../harness/bench.ts";
import { Comparison, merge, type Pair, type Pairs, takeTurns } from "../harness/pairs.ts";
import { withTeam } from "../harness/team.ts";
import type { Argument, Sample } from "./worker.ts";

interface Extent {
  readonly generations: number;
  readonly rounds: number;
  readonly warmUps: number;
  /** Of one turn. */
  readonly millis: number;
}

const EXTENT: Record<Effort, Extent> = {
  full: { generations: 3, rounds: 30, warmUps: 12, millis: 100 },
  quick: { generations: 1, rounds: 20, warmUps: 12, millis: 100 },
  smoke: { generations: 1, rounds: 1, warmUps: 0, millis: 20 },
};

const MODULE = new URL("./worker.ts", import.meta.url);

export const saturation: Bench = async ({ effort, progress }) => {
  const { generations, rounds, warmUps, millis } = EXTENT[effort];
  const names = effort === "smoke" ? ["bare", "poolscope"] : Object.keys(CONTESTANTS);
  const { host, port, user, password, stop } = await startPostgres();
  const account = { host, port, user, password, database: "postgres" };
  const all: Pairs<Sample>[] = [];
  try {
    for (let generation = 1; generation <= generations; generation++) {
      progress(`generation ${generation} of ${generations}`);
      const pairs = await withTeam(async (team) => {
        for (const contestant of names) {
          const argument: Argument = { contestant, account };
          await team.start(contestant, MODULE, argument);
        }
        const turn = (name: string) => team.round<Sample>(name, millis);
        for (let warmUp = 0; warmUp < warmUps; warmUp++) for (const name of names) await turn(name);
        const pairs = await takeTurns(names, "bare", { rounds, generation }, turn);
        await team.finish();
        return pairs;
      });
      all.push(pairs);
    }
  } finally {
    await stop();
  }
  const pairs = merge(all);
  const reached = { throughput: compare(pairs["poolscope"], "queriesPerSecond").ratio.median };
  return { tables: [table(pairs)], reached };
};

function compare(pairs: readonly Pair<Sample>[] | undefined, value: keyof Sample): Comparison<Sample> {
  return new Comparison(pairs ?? [], (sample) => sample[value]);
}

function table(pairs: Pairs<Sample>): Table {
  const everyBare = (value: keyof Sample) => compare(Object.values(pairs).flat(), value).bare;
  return {
    title: "64 callers on a pool of 10",
    columns: ["queries/s", "/ bare", "by generation", "per CPU second / bare", "p50 ms", "p99 ms"],
    rows: [
      {
        name: "bare",
        cells: [
          everyBare("queriesPerSecond"),
          null,
          null,
          null,
          everyBare("p50Millis"),
          everyBare("p99Millis"),
        ],
      },
      ...Object.entries(pairs).map(([name, of]) => {
        const throughput = compare(of, "queriesPerSecond");
        const perCpu = compare(of, "queriesPerCpuSecond").ratio;
        const [p50, p99] = [compare(of, "p50Millis").other, compare(of, "p99Millis").other];
        return {
          name,
          cells: [throughput.other, throughput.ratio, throughput.ratioByGeneration, perCpu, p50, p99],
        };
      }),
    ],
  };
}
