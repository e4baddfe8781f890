/** The same as `npm run fuzz`, with seeds enough for every change: the bare pool is the control. */
import { expect, test } from "vitest";
import { describe as describePlan } from "./describe.ts";
import { fuzz } from "./fuzz.ts";
import { planOf } from "./plan.ts";

const SEEDS = 500;

test(
  "a recycled pool recovers from every fault a bare pool recovers from",
  async () => {
    const { played, findings, facts } = await fuzz({
      from: 1,
      seeds: SEEDS,
      jobs: 2,
      concurrency: 8,
      subjects: ["bare", "recycled"],
    });
    const found = findings.map(({ seed, subject, kind, detail, step }) =>
      [
        `seed ${seed}, ${subject}, after step ${step}: ${kind}: ${detail}`,
        ...describePlan(planOf(seed)),
      ].join("\n  "),
    );
    expect(found).toEqual([]);
    expect(played).toBe(SEEDS);
    // The script really is one of trouble: most seeds have callers that fail, and mistakes were made.
    expect(facts.failures).toBeGreaterThan(SEEDS);
    expect(facts.mistakes).toBeGreaterThan(SEEDS / 4);
  },
  15 * 60_000,
);
