import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { ALLOWED_DIFFERENCES } from "./allowed-differences.ts";
import { type Comparison, compare } from "./compare.ts";
import { type Line, type Mode, runSuite, type SuiteRun } from "./run-suite.ts";

const TESTS = 72;
const LINES: readonly Line[] = ["3.6", "newest"];
const MODES = ["watched", "recycled", "recycled with keepOnSqlError: false"] as const;
type Compared = (typeof MODES)[number];
/** Some tests allow 100 ms for what takes longer on a busy machine: what differs is repeated. */
const ROUNDS = 3;

describe.each(LINES)("pg-pool's own tests on its line %s", (line) => {
  const runs = new Map<Mode, SuiteRun[]>();
  const of = (mode: Mode) => runs.get(mode) ?? [];

  function compareWithBare(mode: Compared): Comparison {
    const allowed = ALLOWED_DIFFERENCES.filter((entry) => entry.mode === mode && entry.lines.includes(line));
    return compare(of("bare"), of(mode), allowed);
  }

  /** A run that was cut short is no matter of chance. */
  function isDecided(mode: Compared): boolean {
    const { unexpected, stale } = compareWithBare(mode);
    return unexpected.length + stale.length === 0 || of(mode).some(({ end }) => end !== "by itself");
  }

  beforeAll(async () => {
    const run = async (mode: Mode) => {
      runs.set(mode, [...of(mode), await runSuite(line, mode)]);
    };
    // Two at a time: they spend most of it waiting, but some of their limits are tight.
    await Promise.all([run("bare"), run("watched")]);
    await Promise.all([run("recycled"), run("recycled with keepOnSqlError: false")]);
    for (let round = 2; round <= ROUNDS; round++) {
      for (const mode of MODES.filter((mode) => !isDecided(mode)))
        await Promise.all([run("bare"), run(mode)]);
    }
  });

  test("bare pools are given all of them and end by themselves", () => {
    for (const { outcomes, end } of of("bare")) {
      expect(end).toBe("by itself");
      expect(outcomes.size).toBe(TESTS);
      const passed = [...outcomes.values()].filter((outcome) => outcome === "passed");
      expect(passed.length).toBeGreaterThanOrEqual(TESTS - 4);
    }
  });

  test.each(MODES)("%s pools pass what bare ones pass, except the listed tests", (mode) => {
    expect(of(mode).map(({ end }) => end)).toEqual(of(mode).map(() => "by itself"));
    expect(compareWithBare(mode)).toEqual({ unexpected: [], stale: [] });
  });
});

test("the list of differences has one entry a test, with a reason, and docs/recycling.md has them all", () => {
  const keys = ALLOWED_DIFFERENCES.map(({ mode, test }) => `${mode}: ${test}`);
  expect(keys).toEqual([...new Set(keys)]);
  const page = readFileSync(new URL("../../../docs/recycling.md", import.meta.url), "utf8");
  for (const { lines, reason, test } of ALLOWED_DIFFERENCES) {
    expect(page).toContain(`| \`${test}\` |`);
    expect(lines.length).toBeGreaterThan(0);
    expect(reason.length).toBeGreaterThan(20);
  }
});
