import { spawnSync } from "node:child_process";

interface Cores {
  readonly workers: string;
  readonly others: string;
}

/** One core for what is measured, the rest for servers and load; undefined where processes cannot be pinned. */
export const CORES: Cores | undefined = share(allowedCores());

/** What this process starts from now on, PostgreSQL among it, keeps off the core of what is measured. */
export function leaveCoreToWorkers(): void {
  if (CORES) taskset(["-cp", CORES.others, String(process.pid)]);
}

function share(cores: readonly string[]): Cores | undefined {
  const [first, ...others] = cores;
  if (first === undefined || others.length === 0) return undefined;
  return { workers: first, others: others.join(",") };
}

/** The last word of `pid 17's current affinity list: 0-2,5`. */
function allowedCores(): string[] {
  const list =
    taskset(["-cp", String(process.pid)])
      ?.trim()
      .split(" ")
      .at(-1) ?? "";
  return list.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number);
    if (from === undefined || to === undefined || !Number.isInteger(from)) return [];
    return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
  });
}

function taskset(args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync("taskset", args, { encoding: "utf8" });
  return status === 0 ? stdout : undefined;
}
