import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import autocannon from "autocannon";
import type { Cell, Effort, Situation, Table } from "../harness/bench.ts";
import { figure, median } from "../harness/statistics.ts";
import { withTeam } from "../harness/team.ts";
import type { Argument, Cost, Input } from "./flood-worker.ts";

interface Extent {
  /** Pairs of processes started anew: what one flood has taken from the system the next one has already. */
  readonly generations: number;
  readonly connections: number;
  readonly pools: readonly number[];
  readonly paths: readonly string[];
  /** Of one turn of requests one after the other. */
  readonly seconds: number;
}

const PATHS = ["/metrics", "/health?limit=100", "/health/database", "/health/live"];
const EXTENT: Record<Effort, Extent> = {
  full: { generations: 5, connections: 200, pools: [2, 20, 50], paths: PATHS, seconds: 2 },
  quick: { generations: 1, connections: 200, pools: [2, 20, 50], paths: PATHS, seconds: 1 },
  smoke: { generations: 1, connections: 10, pools: [2], paths: PATHS.slice(0, 2), seconds: 0.2 },
};
const PIPELINED = 20;
const MODULE = new URL("./flood-worker.ts", import.meta.url);
const QUIET_MILLIS = 250;

const MEASURES = ["cpuMicros", "grownBytes", "lagMillis"] as const;
type Measured = (input: Input) => Promise<Cost>;
type Attack = (cost: Measured, path: string, extent: Extent) => Promise<Cost>;

/** What the static twin and poolscope cost. */
type Pair = Readonly<Record<"bare" | "other", Cost>>;

const ATTACKS: Readonly<Record<string, Attack>> = { unread, sequential };

/** What answers cost beside a static twin: by clients that pipeline and never read, and one after the other. */
export async function floods({ effort, isWanted, progress }: Situation): Promise<{
  readonly tables: readonly Table[];
  readonly reached: Readonly<Record<string, number>>;
}> {
  const extent = EXTENT[effort];
  const tables: Table[] = [];
  const reached: Record<string, number> = {};
  for (const [name, attack] of Object.entries(ATTACKS)) {
    if (!isWanted(name)) continue;
    const rows: { name: string; cells: readonly Cell[] }[] = [];
    for (const pools of extent.pools) {
      for (const path of extent.paths) {
        progress(`${name}, ${pools} pools, ${path}`);
        const pairs: Pair[] = [];
        for (let at = 0; at < extent.generations; at++) {
          pairs.push(await beside(attack, { pools, path }, extent, at % 2 === 0));
        }
        const cells = MEASURES.flatMap((measure): Cell[] => {
          const ratios = pairs.map(({ bare, other }) => other[measure] / bare[measure]);
          const key = `${name}.${pools}.${measure}`;
          reached[key] = Math.max(reached[key] ?? 0, median(ratios));
          const unit = measure === "grownBytes" ? 2 ** 20 : measure === "cpuMicros" ? 1_000 : 1;
          const of = (twin: "bare" | "other") => median(pairs.map((pair) => pair[twin][measure])) / unit;
          return [of("bare"), of("other"), figure(ratios)];
        });
        rows.push({ name: `${pools} pools, ${path}`, cells });
      }
    }
    const columns = ["CPU ms", "memory MiB", "loop lag ms"].flatMap((what) => [
      `static ${what}`,
      what,
      "/ static",
    ]);
    tables.push({ title: TITLES[name] ?? name, columns, rows });
  }
  return { tables, reached };
}

const TITLES: Readonly<Record<string, string>> = {
  unread: `200 connections with ${PIPELINED} pipelined requests each, of which none is read`,
  sequential: "One request after the other, CPU of one",
};

async function beside(
  attack: Attack,
  argument: Argument,
  extent: Extent,
  isBareFirst: boolean,
): Promise<Pair> {
  const measure = (twin: string, path: string) =>
    withTeam(async (team) => {
      await team.start(twin, MODULE, argument);
      const cost = await attack((input) => team.round<Cost>(twin, input), path, extent);
      await team.finish();
      return cost;
    });
  const first = await measure("first", isBareFirst ? "/static" : argument.path);
  const second = await measure("second", isBareFirst ? argument.path : "/static");
  return isBareFirst ? { bare: first, other: second } : { bare: second, other: first };
}

async function unread(cost: Measured, path: string, { connections }: Extent): Promise<Cost> {
  const { port } = await cost("look");
  const sockets: Socket[] = [];
  for (let at = 0; at < connections; at++) {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    await once(socket, "connect");
    sockets.push(socket.pause());
  }
  await cost("begin");
  const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  for (const socket of sockets) socket.write(request.repeat(PIPELINED));
  let before = 0;
  for (;;) {
    await sleep(QUIET_MILLIS);
    const found = await cost("look");
    const isBusy = found.cpuMicros - before > (QUIET_MILLIS * 1_000) / 4;
    if (before > 0 && !isBusy) {
      for (const socket of sockets) socket.destroy();
      return found;
    }
    before = found.cpuMicros;
  }
}

async function sequential(cost: Measured, path: string, { seconds }: Extent): Promise<Cost> {
  const { port } = await cost("look");
  const url = `http://127.0.0.1:${port}${path}`;
  await autocannon({ url, connections: 1, duration: seconds / 2 });
  await cost("begin");
  const { errors, non2xx, requests } = await autocannon({ url, connections: 1, duration: seconds });
  if (errors + non2xx > 0 || requests.total === 0) throw new Error(`${errors + non2xx} answers were not 200`);
  const found = await cost("look");
  // They leave next to nothing, so that what is compared is all of the process.
  return { ...found, grownBytes: found.peakBytes, cpuMicros: found.cpuMicros / requests.total };
}
