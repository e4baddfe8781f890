import type { Bench, Effort, Table } from "../harness/bench.ts";
import { Comparison, takeTurns } from "../harness/pairs.ts";
import { withTeam } from "../harness/team.ts";
import { SCENARIOS, type ScenarioName } from "../query-overhead/scenarios.ts";
import type { Argument, Input, Sample } from "./worker.ts";

interface Extent {
  readonly rounds: number;
  readonly queries: number;
  readonly profiled: number;
}

const EXTENT: Record<Effort, Extent> = {
  full: { rounds: 20, queries: 1_000, profiled: 400_000 },
  quick: { rounds: 6, queries: 1_000, profiled: 200_000 },
  smoke: { rounds: 1, queries: 20, profiled: 200 },
};

const MODULE = new URL("./worker.ts", import.meta.url);
const NAMES = ["bare", "poolscope"];
const MEASURED: readonly ScenarioName[] = ["poolQuery", "explicit"];
const WARM_UPS = 10;
/** What less time than this was spent in is left out. */
const LEAST_NANOS = 5;

export const profile: Bench = async ({ effort, progress }) => {
  const tables: Table[] = [];
  for (const scenario of MEASURED) {
    progress(SCENARIOS[scenario].title);
    tables.push(...(await measure(scenario, EXTENT[effort])));
  }
  return { tables };
};

async function measure(scenario: ScenarioName, { rounds, queries, profiled }: Extent): Promise<Table[]> {
  return withTeam(async (team) => {
    for (const contestant of NAMES) {
      const argument: Argument = { contestant, scenario };
      await team.start(contestant, MODULE, argument);
    }
    const turn = (kind: Input["kind"], queries: number) => (name: string) => {
      const input: Input = { kind, queries };
      return team.round<Sample>(name, input);
    };
    for (let warmUp = 0; warmUp < WARM_UPS; warmUp++)
      for (const name of NAMES) await turn("warm", queries)(name);
    const compare = async (kind: Input["kind"]) => {
      const pairs = await takeTurns(NAMES, "bare", { rounds, generation: 1 }, turn(kind, queries));
      return new Comparison(pairs["poolscope"] ?? [], ({ nanos }) => nanos);
    };
    const [warm, cold] = [await compare("warm"), await compare("cold")];
    const { functions } = await turn("profiled", profiled)("poolscope");
    await team.finish();

    const { title } = SCENARIOS[scenario];
    return [
      {
        title: `${title}; one query, in nanoseconds`,
        columns: ["bare", "poolscope", "added"],
        rows: [
          { name: "caches warm", cells: [warm.bare, warm.other, warm.added] },
          { name: "caches cold", cells: [cold.bare, cold.other, cold.added] },
        ],
      },
      {
        title: `${title}; poolscope's functions, in nanoseconds a query`,
        columns: ["CPU"],
        rows: Object.entries(functions)
          .filter(([, nanos]) => nanos >= LEAST_NANOS)
          .sort(([, one], [, other]) => other - one)
          .map(([name, nanos]) => ({ name: `\`${name}\``, cells: [nanos] })),
      },
    ];
  });
}
