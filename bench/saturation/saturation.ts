import { startPostgres } from "../../demo/postgres-server.ts";
import { BESIDE_BARE } from "../contestants/contestants.ts";
import type { Bench, Effort, Table } from "../harness/bench.ts";
import { Comparison, type Pair } from "../harness/pairs.ts";
import { besideBareTwins, type Extent, type Pairs } from "../harness/twins.ts";
import type { Argument, Sample } from "./worker.ts";

const EXTENT: Record<Effort, Extent> = {
  full: { generations: 5, rounds: 20, warmUps: 12 },
  quick: { generations: 2, rounds: 16, warmUps: 12 },
  smoke: { generations: 1, rounds: 1, warmUps: 0 },
};
/** Of one turn. */
const MILLIS: Record<Effort, number> = { full: 100, quick: 100, smoke: 20 };

const MODULE = new URL("./worker.ts", import.meta.url);

export const saturation: Bench = async ({ effort, progress }) => {
  const contestants = effort === "smoke" ? ["poolscope"] : BESIDE_BARE;
  const { host, port, user, password, stop } = await startPostgres();
  const account = { host, port, user, password, database: "postgres" };
  try {
    const pairs = await besideBareTwins<Sample>({
      contestants,
      extent: EXTENT[effort],
      module: MODULE,
      argument: (contestant): Argument => ({ contestant, account }),
      input: MILLIS[effort],
      progress,
    });
    const reached = { throughput: compare(pairs["poolscope"], "queriesPerSecond").ratio.median };
    return { tables: [table(pairs)], reached };
  } finally {
    await stop();
  }
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
