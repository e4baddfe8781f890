import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Bench, Effort } from "../harness/bench.ts";
import { CORES } from "../harness/cores.ts";
import { Comparison, type Pair, takeTurns } from "../harness/pairs.ts";
import { COUNTED, HOOK, PROGRAMS, TIMED } from "./programs.ts";

const ROUNDS: Record<Effort, number> = { full: 25, quick: 15, smoke: 1 };
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Not to be loaded by an application that neither pushes metrics nor has the instrumentation measure its queries. */
const UNWANTED = [
  "exporter-metrics-otlp-proto",
  "otlp-transformer",
  "instrumentation-pg",
  "exporter-prometheus",
];

/** In milliseconds. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

export const startup: Bench = async ({ effort, progress }) => {
  const modules = new Map<string, number>();
  for (const name of Object.keys(PROGRAMS)) {
    progress(`modules, ${name}`);
    const loaded = await loadedBy(name);
    modules.set(name, loaded.length);
    const unwanted = loaded.filter((file) =>
      UNWANTED.some((part) => file.includes(`/@opentelemetry/${part}/`)),
    );
    if (name === "poolscope" && unwanted.length > 0)
      throw new Error(`poolscope loads ${unwanted.join(", ")}`);
  }
  const turn = async (name: string): Promise<Sample> =>
    JSON.parse((await run(`${PROGRAMS[name]}${TIMED}`)).stdout);
  progress("times");
  const names = Object.keys(PROGRAMS);
  for (const name of names) await turn(name);
  const pairs = new Map<string, readonly Pair<Sample>[]>();
  for (const name of names.filter((name) => name !== "bare")) {
    pairs.set(name, await takeTurns("bare", name, { rounds: ROUNDS[effort] }, turn));
  }
  const every = [...pairs.values()].flat();
  const by = (name: string, what: keyof Sample) =>
    new Comparison(name === "bare" ? every : (pairs.get(name) ?? []), (sample) => sample[what]);
  const bareModules = modules.get("bare") ?? 0;
  return {
    tables: [
      {
        title: "From the start of Node to the end of the program",
        columns: ["wall ms", "added wall ms", "CPU ms", "added CPU ms", "modules", "added"],
        rows: names.map((name) => {
          const [wall, cpu, files] = [by(name, "wall"), by(name, "cpu"), modules.get(name) ?? 0];
          if (name === "bare") return { name, cells: [wall.bare, null, cpu.bare, null, String(files), null] };
          const added = String(files - bareModules);
          return { name, cells: [wall.other, wall.added, cpu.other, cpu.added, String(files), added] };
        }),
      },
    ],
    reached: { added: by("poolscope", "wall").added.median },
  };
};

async function loadedBy(name: string): Promise<string[]> {
  const { stdout, stderr } = await run(`${PROGRAMS[name]}${COUNTED}`, ["--import", HOOK]);
  const imported = stderr.split("\n").filter((url) => url.startsWith("file:"));
  const files: string[] = [...imported.map((url) => fileURLToPath(url)), ...JSON.parse(stdout)];
  return [...new Set(files)];
}

async function run(
  program: string,
  flags: readonly string[] = [],
): Promise<{ stdout: string; stderr: string }> {
  const node = [process.execPath, ...flags, "--input-type=module", "--eval", program];
  const [command = "", ...args] = CORES ? ["taskset", "-c", CORES.workers, ...node] : node;
  const env = { ["PATH"]: process.env["PATH"], ["NODE_ENV"]: "production" };
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  if (code !== 0) throw new Error(`a program that was to start ended with ${code}: ${stderr}`);
  return { stdout, stderr };
}
