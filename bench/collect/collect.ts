import type { Bench, Cell, Effort, Figure, Situation } from "../harness/bench.ts";
import { Comparison, takeTurns } from "../harness/pairs.ts";
import { figure } from "../harness/statistics.ts";
import { withTeam } from "../harness/team.ts";
import type { Argument, Sample } from "./worker.ts";

/** How many pools, how often each is collected in a turn, and whether the SDK can hold their series (2,000 a metric). */
const SIZES = [
  { pools: 1, times: 60, fitsSdk: true },
  { pools: 10, times: 20, fitsSdk: true },
  { pools: 100, times: 4, fitsSdk: true },
  { pools: 1_000, times: 1, fitsSdk: false },
];
const ROUNDS: Record<Effort, number> = { full: 15, quick: 5, smoke: 1 };

const MODULE = new URL("./worker.ts", import.meta.url);

interface Row {
  readonly name: string;
  readonly cells: readonly Cell[];
}

export const collect: Bench = async (situation) => {
  const own: Row[] = [];
  const sdk: Row[] = [];
  const reached: Record<string, number> = {};
  for (const size of SIZES) {
    if (situation.effort === "smoke" && size.pools !== 10) continue;
    const { alone, beside } = await measure(size, situation);
    const name = `${size.pools.toLocaleString("en-US")} ${size.pools === 1 ? "pool" : "pools"}`;
    const perPool = (value: (sample: Sample) => number): Figure =>
      figure(alone.map((sample) => value(sample) / size.pools));
    const [readings, text] = [perPool((sample) => sample.readings), perPool((sample) => sample.text)];
    own.push({ name, cells: [readings, text, perPool(({ bytes }) => bytes).median] });
    reached[`readings.${size.pools}`] = readings.median;
    reached[`text.${size.pools}`] = text.median;
    if (beside) sdk.push({ name, cells: beside });
  }
  for (const what of ["readings", "text"]) {
    reached[`${what}.linear`] = Number(reached[`${what}.1000`]) / Number(reached[`${what}.100`]);
  }
  const columns = ["readings, CPU µs a pool", "/metrics, CPU µs a pool", "/metrics, bytes a pool"];
  return {
    tables: [
      { title: "Pools with six series of queries each", columns, rows: own },
      {
        title: "The same metrics in a MeterProvider of the SDK, with its histograms, beside the private one",
        columns: ["readings, CPU µs a pool", "/ private", "/metrics, CPU µs a pool", "/ private"],
        rows: sdk,
      },
    ],
    reached,
  };
};

async function measure(
  { pools, times, fitsSdk }: (typeof SIZES)[number],
  { effort, progress }: Situation,
): Promise<{ readonly alone: readonly Sample[]; readonly beside?: readonly Cell[] }> {
  progress(`${pools} pools`);
  return withTeam(async (team) => {
    const start = (name: string, argument: Argument) => team.start(name, MODULE, argument);
    await start("private", { pools, isInSdk: false });
    if (fitsSdk) await start("SDK", { pools, isInSdk: true });
    const rounds = ROUNDS[effort];
    const warmUps = effort === "smoke" ? 0 : 2;
    const turn = (name: string) => team.round<Sample>(name, effort === "smoke" ? 1 : times);
    if (!fitsSdk) {
      const alone: Sample[] = [];
      for (let round = 0; round < warmUps + rounds; round++) alone.push(await turn("private"));
      await team.finish();
      return { alone: alone.slice(warmUps) };
    }
    await takeTurns("private", "SDK", { rounds: warmUps }, turn);
    const pairs = await takeTurns("private", "SDK", { rounds }, turn);
    await team.finish();
    const cells = (["readings", "text"] as const).flatMap((what) => {
      const comparison = new Comparison(pairs, (sample) => sample[what] / pools);
      return [comparison.other, comparison.ratio];
    });
    return { alone: pairs.map(({ bare }) => bare), beside: cells };
  });
}
