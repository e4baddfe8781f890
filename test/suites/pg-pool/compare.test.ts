import { expect, test } from "vitest";
import type { AllowedDifference } from "./allowed-differences.ts";
import { compare } from "./compare.ts";
import type { SuiteRun } from "./run-suite.ts";

const FAILED = "failed: expected 1 to equal 0";

const run = (outcomes: Record<string, string>): SuiteRun => ({
  outcomes: new Map(Object.entries(outcomes)),
  end: "by itself",
});

const entry = (test: string): AllowedDifference => ({
  ...{
    mode: "recycled",
    lines: ["newest"],
    test,
    with: FAILED,
    reason: "asked for by an option of recycle()",
  },
});

test("a test that fails without an entry is an unexpected difference", () => {
  const comparison = compare([run({ a: "passed", b: "passed" })], [run({ a: "passed", b: FAILED })], []);
  expect(comparison).toEqual({ unexpected: [`b: ${FAILED}`], stale: [] });
});

test("a test that was not run is an unexpected difference", () => {
  const comparison = compare([run({ a: "passed", b: "passed" })], [run({ a: "passed" })], []);
  expect(comparison).toEqual({ unexpected: ["b: not run"], stale: [] });
});

test("a test that fails as its entry says is expected", () => {
  expect(compare([run({ a: "passed" })], [run({ a: FAILED })], [entry("a")])).toEqual({
    ...{ unexpected: [], stale: [] },
  });
});

test("a test that fails otherwise than its entry says is unexpected, and the entry stale", () => {
  const comparison = compare([run({ a: "passed" })], [run({ a: "failed: timeout" })], [entry("a")]);
  expect(comparison).toEqual({ unexpected: ["a: failed: timeout"], stale: ["a"] });
});

test("an entry whose test passes in every run is stale", () => {
  const comparison = compare(
    [run({ a: "passed" })],
    [run({ a: "passed" }), run({ a: "passed" })],
    [entry("a")],
  );
  expect(comparison).toEqual({ unexpected: [], stale: ["a"] });
});

test("a test that failed once on a bare pool, too, is no difference", () => {
  const bare = [run({ a: "passed" }), run({ a: "failed: too slow" })];
  expect(compare(bare, [run({ a: FAILED })], [])).toEqual({ unexpected: [], stale: [] });
});

test("a test that passed once is no difference", () => {
  const runs = [run({ a: FAILED }), run({ a: "passed" })];
  expect(compare([run({ a: "passed" })], runs, [])).toEqual({ unexpected: [], stale: [] });
});
