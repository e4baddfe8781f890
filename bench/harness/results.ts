import { readFile, writeFile } from "node:fs/promises";
import type { Findings } from "./bench.ts";
import type { Machine } from "./machine.ts";

const FILE = new URL("../results.json", import.meta.url);

export interface Result extends Findings {
  /** UTC, to the minute. */
  readonly date: string;
  readonly machine: Machine;
}

/** The last saved result of each bench. */
export type Results = Readonly<Record<string, Result>>;

export async function savedResults(): Promise<Results> {
  return JSON.parse(await readFile(FILE, "utf8"));
}

/** Those of benches that were not run are kept. */
export async function saveResults(results: Results): Promise<void> {
  const merged = { ...(await savedResults()), ...results };
  await writeFile(FILE, `${JSON.stringify(merged, rounded, 2)}\n`);
}

/** Six digits are more than any clock here has. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}
