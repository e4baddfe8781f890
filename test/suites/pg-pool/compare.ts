import type { AllowedDifference } from "./allowed-differences.ts";
import type { SuiteRun } from "./run-suite.ts";

export interface Comparison {
  /** Failures without an entry in the list, as "test: outcome". */
  readonly unexpected: readonly string[];
  /** Entries of the list that did not differ. */
  readonly stale: readonly string[];
}

/**
 * Compares repeated runs with runs on bare pools, test by test. Some tests race with the clock: a test differs when it
 * passed in no run and failed on no bare pool. A test that was not run has failed.
 */
export function compare(
  bare: readonly SuiteRun[],
  runs: readonly SuiteRun[],
  allowed: readonly AllowedDifference[],
): Comparison {
  const tests = new Set([...bare, ...runs].flatMap(({ outcomes }) => [...outcomes.keys()]));
  const unexpected = [...tests].flatMap((test) => {
    const found = outcomesOf(test, runs);
    const isSame = found.includes("passed") || outcomesOf(test, bare).some((outcome) => outcome !== "passed");
    return isSame || isAllowed(test, found, allowed) ? [] : [`${test}: ${found[0]}`];
  });
  const stale = allowed.filter((entry) => !outcomesOf(entry.test, runs).includes(entry.with));
  return { unexpected, stale: stale.map(({ test }) => test) };
}

const outcomesOf = (test: string, runs: readonly SuiteRun[]) =>
  runs.map(({ outcomes }) => outcomes.get(test) ?? "not run");

function isAllowed(test: string, found: readonly string[], allowed: readonly AllowedDifference[]): boolean {
  return allowed.some((entry) => entry.test === test && found.includes(entry.with));
}
