import autocannon from "autocannon";
import type { Bench, Effort, Situation } from "../harness/bench.ts";
import { Comparison, type Pair, takeTurns } from "../harness/pairs.ts";
import { withTeam } from "../harness/team.ts";
import { floods } from "./flood.ts";
import type { Argument, Standing } from "./worker.ts";

interface Extent {
  readonly rounds: number;
  /** Turns of each before it counts, until the code is compiled. */
  readonly warmUps: number;
  /** Of one turn. */
  readonly seconds: number;
}

const EXTENT: Record<Effort, Extent> = {
  full: { rounds: 21, warmUps: 2, seconds: 1 },
  quick: { rounds: 7, warmUps: 2, seconds: 1 },
  smoke: { rounds: 1, warmUps: 0, seconds: 0.2 },
};
const CALLERS = 10;
const MODULE = new URL("./worker.ts", import.meta.url);

interface Sample {
  readonly requestsPerSecond: number;
  readonly p99Millis: number;
  readonly cpuMicros: number;
}

export const health: Bench = async (situation) => {
  const beside = await floods(situation);
  const rows = [];
  const reached: Record<string, number> = { ...beside.reached };
  for (const [name, isExhausted] of Object.entries({ idle: false, exhausted: true })) {
    if (!situation.isWanted(name) || (situation.effort === "smoke" && !isExhausted)) continue;
    const pairs = await measure(isExhausted, situation);
    const of = (value: keyof Sample) => new Comparison(pairs, (sample) => sample[value]);
    const [rate, p99] = [of("requestsPerSecond"), of("p99Millis")];
    reached[name] = rate.ratio.median;
    const cells = [rate.bare, rate.other, rate.ratio, of("cpuMicros").ratio, p99.bare, p99.other];
    rows.push({ name: `pool ${name}`, cells });
  }
  const columns = [
    "static requests/s",
    "health requests/s",
    "/ static",
    "CPU a request / static",
    "static p99 ms",
    "health p99 ms",
  ];
  return { tables: [{ title: "`GET /health/database`", columns, rows }, ...beside.tables], reached };
};

async function measure(
  isExhausted: boolean,
  { effort, progress }: Situation,
): Promise<readonly Pair<Sample>[]> {
  progress(isExhausted ? "pool exhausted" : "pool idle");
  const { rounds, warmUps, seconds } = EXTENT[effort];
  return withTeam(async (team) => {
    const start = (name: string, argument: Argument) => team.start(name, MODULE, argument);
    const standing = (name: string) => team.round<Standing>(name, null);
    const url = async (name: string) => `http://127.0.0.1:${(await standing(name)).port}/health/database`;
    await start("health", { isExhausted, twin: null });
    const response = await fetch(await url("health"));
    const { status } = response;
    if (status !== (isExhausted ? 503 : 200)) throw new Error(`/health/database answered ${status}`);
    await start("static", { isExhausted, twin: { status, body: await response.json() } });
    const urls = { static: await url("static"), health: await url("health") };
    const turn = async (name: string) => {
      const before = (await standing(name)).cpuMicros;
      const { answers, ...sample } = await load(urls[name as keyof typeof urls], seconds, status);
      return { ...sample, cpuMicros: ((await standing(name)).cpuMicros - before) / answers };
    };
    await takeTurns("static", "health", { rounds: warmUps }, turn);
    const pairs = await takeTurns("static", "health", { rounds }, turn);
    await team.finish();
    return pairs;
  });
}

async function load(
  url: string,
  seconds: number,
  status: number,
): Promise<Omit<Sample, "cpuMicros"> & { answers: number }> {
  const { errors, statusCodeStats, requests, latency, duration } = await autocannon({
    url,
    connections: CALLERS,
    duration: seconds,
    sampleInt: 100,
  });
  const answered = Object.entries(statusCodeStats ?? {});
  if (errors > 0 || answered.length !== 1 || answered[0]?.[0] !== String(status)) {
    throw new Error(
      `${errors} requests failed, and not all answers were ${status}: ${JSON.stringify(answered)}`,
    );
  }
  const answers = requests.total;
  return { answers, requestsPerSecond: answers / duration, p99Millis: latency.p99 };
}
