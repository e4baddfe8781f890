import type { Bench, Effort, Table } from "../harness/bench.ts";
import { Comparison, takeTurns } from "../harness/pairs.ts";
import { withTeam } from "../harness/team.ts";
import { NURSERY_FLAGS } from "../harness/twins.ts";
import { SCENARIOS, type ScenarioName } from "../query-overhead/scenarios.ts";
import type { Argument as CollectingArgument, Input as CollectingInput } from "./collecting.ts";
import type { Shares } from "./sampled.ts";
import type { Argument, Input, Sample } from "./worker.ts";

interface Extent {
  readonly rounds: number;
  readonly queries: number;
  readonly profiled: number;
  readonly pools: number;
  readonly collections: number;
}

const EXTENT: Record<Effort, Extent> = {
  full: { rounds: 20, queries: 1_000, profiled: 384_000, pools: 1_000, collections: 10 },
  quick: { rounds: 6, queries: 1_000, profiled: 192_000, pools: 1_000, collections: 5 },
  smoke: { rounds: 1, queries: 20, profiled: 640, pools: 2, collections: 1 },
};

const QUERYING = new URL("./worker.ts", import.meta.url);
const COLLECTING = new URL("./collecting.ts", import.meta.url);
const WARM_UPS = 10;
/** What less than this part of the time was spent in is left out. */
const LEAST = 0.02;

export const profile: Bench = async ({ effort, progress }) => {
  const extent = EXTENT[effort];
  const tables: Table[] = [];
  for (const scenario of ["poolQuery", "explicit"] as const) {
    progress(SCENARIOS[scenario].title);
    tables.push(await warmAndCold(scenario, extent), await ofQueries(scenario, 1, 1, extent));
  }
  progress("64 callers");
  tables.push(await ofQueries("poolQuery", 64, 10, extent));
  progress(`${extent.pools} pools`);
  tables.push(...(await ofCollections(extent)));
  return { tables };
};

async function warmAndCold(scenario: ScenarioName, { rounds, queries }: Extent): Promise<Table> {
  return withTeam(async (team) => {
    for (const contestant of ["bare", "poolscope"]) {
      const argument: Argument = { contestant, scenario, callers: 1, connections: 1 };
      await team.start(contestant, QUERYING, argument, { flags: NURSERY_FLAGS });
    }
    const turn = (kind: Input["kind"]) => (name: string) => {
      const input: Input = { kind, queries };
      return team.round<Sample>(name, input);
    };
    await takeTurns("bare", "poolscope", { rounds: WARM_UPS }, turn("warm"));
    const compare = async (kind: Input["kind"]) => {
      const pairs = await takeTurns("bare", "poolscope", { rounds }, turn(kind));
      return new Comparison(pairs, ({ nanos }) => nanos);
    };
    const [warm, cold] = [await compare("warm"), await compare("cold")];
    await team.finish();
    return {
      title: `${SCENARIOS[scenario].title}; one query, in nanoseconds`,
      columns: ["bare", "poolscope", "added"],
      rows: [
        { name: "caches warm", cells: [warm.bare, warm.other, warm.added] },
        { name: "caches cold", cells: [cold.bare, cold.other, cold.added] },
      ],
    };
  });
}

async function ofQueries(
  scenario: ScenarioName,
  callers: number,
  connections: number,
  { profiled }: Extent,
): Promise<Table> {
  return withTeam(async (team) => {
    const argument: Argument = { contestant: "poolscope", scenario, callers, connections };
    await team.start("poolscope", QUERYING, argument, { flags: NURSERY_FLAGS });
    const input: Input = { kind: "profiled", queries: profiled };
    await team.round<Sample>("poolscope", input); // until the code is compiled
    const { functions } = await team.round<Sample>("poolscope", input);
    await team.finish();
    const who = callers === 1 ? "one caller" : `${callers} callers on a pool of ${connections}`;
    return table(`${SCENARIOS[scenario].title}; ${who}: nanoseconds a query by function`, functions);
  });
}

async function ofCollections({ pools, collections }: Extent): Promise<Table[]> {
  return withTeam(async (team) => {
    const argument: CollectingArgument = { pools };
    await team.start("poolscope", COLLECTING, argument);
    const tables: Table[] = [];
    for (const [kind, what] of [["readings", "readings"] as const, ["text", "`/metrics`"] as const]) {
      const input: CollectingInput = { kind, times: collections };
      const functions = await team.round<Shares>("poolscope", input);
      tables.push(
        table(
          `${what} of ${pools.toLocaleString("en-US")} pools: microseconds a pool by function`,
          functions,
        ),
      );
    }
    await team.finish();
    return tables;
  });
}

function table(title: string, functions: Shares): Table {
  const sorted = Object.entries(functions).sort(([, one], [, other]) => other - one);
  const total = sorted.reduce((sum, [, share]) => sum + share, 0);
  return {
    title,
    columns: ["CPU"],
    rows: [
      ...sorted
        .filter(([, share]) => share >= LEAST * total)
        .map(([name, share]) => ({ name, cells: [share] })),
      { name: "these and the rest", cells: [total] },
    ],
  };
}
