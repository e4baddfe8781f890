import type { Bench, Cell, Effort } from "../harness/bench.ts";
import { figure } from "../harness/statistics.ts";
import { withTeam } from "../harness/team.ts";
import type { MeasureName } from "./measures.ts";
import type { Argument } from "./worker.ts";

type Sizes = Readonly<Record<MeasureName, number>>;

const SIZES: Record<Effort, Sizes> = {
  full: { perPool: 100, perClient: 1_000, afterPools: 1_000, afterCheckouts: 10_000_000 },
  quick: { perPool: 20, perClient: 1_000, afterPools: 1_000, afterCheckouts: 1_000_000 },
  smoke: { perPool: 1, perClient: 10, afterPools: 10, afterCheckouts: 1_000 },
};
const TIMES: Record<Effort, number> = { full: 3, quick: 1, smoke: 1 };

const NAMES: Readonly<Record<MeasureName, (size: string) => string>> = {
  perPool: () => "one pool, 100 samples in its history, KiB",
  perClient: () => "one connection handed out, with its stack, KiB",
  afterPools: (size) => `left by each of ${size} pools that ended, KiB`,
  afterCheckouts: (size) => `left by ${size} checkouts, all together, KiB`,
};

const KINDS = ["bare", "watched"] as const;
const MODULE = new URL("./worker.ts", import.meta.url);

export const memory: Bench = async ({ effort, isWanted, progress }) => {
  const rows: { name: string; cells: Cell[] }[] = [];
  const reached: Record<string, number> = {};
  const names = Object.keys(NAMES) as MeasureName[];
  for (const measure of names.filter(isWanted)) {
    const size = SIZES[effort][measure];
    const kibibytes: Record<"bare" | "watched", number[]> = { bare: [], watched: [] };
    for (let time = 1; time <= TIMES[effort]; time++) {
      for (const kind of effort === "smoke" ? KINDS.slice(1) : KINDS) {
        progress(`${NAMES[measure](size.toLocaleString("en-US"))}, ${kind}, ${time} of ${TIMES[effort]}`);
        kibibytes[kind].push(await inProcessOfItsOwn({ measure, isWatched: kind === "watched" }, size));
      }
    }
    const added = kibibytes.watched.map((watched, time) => watched - (kibibytes.bare[time] ?? 0));
    reached[measure] = figure(added).median;
    const cells = [figure(kibibytes.bare), figure(kibibytes.watched), figure(added)];
    rows.push({ name: NAMES[measure](size.toLocaleString("en-US")), cells });
  }
  return {
    tables: [{ title: "KiB after a collection", columns: ["bare", "watched", "added"], rows }],
    reached,
  };
};

function inProcessOfItsOwn(argument: Argument, size: number): Promise<number> {
  return withTeam(async (team) => {
    await team.start(argument.measure, MODULE, argument);
    return (await team.round<number>(argument.measure, size)) / 1024;
  });
}
