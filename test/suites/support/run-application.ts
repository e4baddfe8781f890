import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ConnectionBudget, PoolscopeOptions } from "../../../src/index.ts";

export type Mode = "bare" | "watched" | "recycled";

/** What the application of `test/suites/application` is started with. */
export interface Situation {
  readonly mode: Mode;
  /** Options of its pool: how to reach the server. */
  readonly pool: object;
  readonly isNative?: boolean;
  /** Options of its `poolscope()`. */
  readonly scope?: PoolscopeOptions;
  /** Whether poolscope asks the server something, over a connection of its own. */
  readonly asksServer?: boolean;
  readonly agent?: string;
  /** Whether the agent is loaded before pg, or after the pool was given to poolscope. */
  readonly agentFirst?: boolean;
  /** Where the agent may send to. */
  readonly sinkUrl?: string;
}

export interface Counts {
  readonly requests: number;
  readonly checkouts: number;
  readonly connects: number;
  readonly closes: number;
  readonly waits: number;
  readonly waitTimeouts: number;
  readonly connectFailures: number;
  readonly queries: number;
  readonly queryErrors: Readonly<Record<string, number>>;
}

/** What an application saw. */
export interface Account {
  /** Results, errors and events in their order. */
  readonly account: readonly string[];
  /** Counted by the application itself. */
  readonly counts: Counts;
  /** Counted by poolscope. */
  readonly numbers?: Counts & { readonly exportedQueries: number; readonly exportedCheckouts: number };
  readonly budgets?: readonly ConnectionBudget[];
  /** The spans that the agent recorded, sorted. */
  readonly spans?: readonly string[];
  /** Hosts other than this machine that something tried to connect to. */
  readonly hostsOutside: readonly string[];
}

/** What poolscope has to count when the application counted this. */
export const numbersOf = (counts: Counts): NonNullable<Account["numbers"]> => ({
  ...counts,
  exportedQueries: counts.queries,
  exportedCheckouts: counts.checkouts,
});

const program = fileURLToPath(new URL("../application/main.mjs", import.meta.url));

/** Runs the application in a process of its own, which has to end by itself. */
export function runApplication(situation: Situation, node: string = process.execPath): Promise<Account> {
  return new Promise((resolve, reject) => {
    execFile(
      node,
      [program, JSON.stringify(situation)],
      { timeout: 40_000, maxBuffer: 2 ** 24 },
      (error, stdout, stderr) => {
        const last = stdout.trimEnd().split("\n").at(-1) ?? "";
        if (!error && last.startsWith("{")) resolve(JSON.parse(last));
        else reject(new Error(`the application failed:\n${stdout}\n${stderr}`, { cause: error }));
      },
    );
  });
}
