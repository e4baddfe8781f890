import fc from "fast-check";
import { expect, test } from "vitest";
import { HistogramWindow } from "../../src/metrics/histogram-window.ts";
import { summarize } from "../../src/readings/distribution.ts";
import { exponential, seeded } from "../support/random.ts";

const PERCENTS = [1, 50, 95, 99, 100];

function windowOf(values: readonly number[]): HistogramWindow {
  const window = new HistogramWindow();
  for (const value of values) window.record(value);
  return window;
}

/** The smallest value that so many of 100 values do not exceed. */
function truth(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1] as number;
}

function expectTrueQuantiles(values: readonly number[]): void {
  const window = windowOf(values);
  for (const percent of PERCENTS) {
    const [measured, expected] = [window.percentile(percent), truth(values, percent)];
    expect(measured).toBeGreaterThanOrEqual(Math.min(...values));
    expect(measured).toBeLessThanOrEqual(Math.max(...values));
    expect(Math.abs(measured - expected)).toBeLessThanOrEqual(0.05 * expected);
  }
}

/** Zero, or between a picosecond and thirty thousand years, on any scale. */
const anyValue = fc.oneof(
  fc.constant(0),
  fc.double({ min: 2 ** -40, max: 2 ** 40, noNaN: true }),
  fc.double({ min: 0.0001, max: 60, noNaN: true }),
  fc.double({ min: -39, max: 39, noNaN: true }).map((power) => 2 ** power),
  fc.integer({ min: -39, max: 39 }).map((power) => 2 ** power),
);

test("quantiles are within 5 % of the sorted samples, minimum and maximum for any distribution", () => {
  fc.assert(
    fc.property(fc.array(anyValue, { minLength: 1, maxLength: 300 }), (values) => {
      expectTrueQuantiles(values);
    }),
    { numRuns: 500 },
  );
});

test.each<[string, (random: () => number) => number]>([
  ["uniform", (random) => random()],
  ["exponential", (random) => exponential(random, 0.02)],
  ["heavy-tailed", (random) => 0.001 / (1 - random()) ** 2],
  ["bimodal", (random) => (random() < 0.94 ? 0.002 : 3 + random())],
  ["constant", () => 1.008],
])("quantiles of a large %s distribution are within 5 percent of the sorted samples", (_, draw) => {
  const random = seeded(7);
  expectTrueQuantiles(Array.from({ length: 20_000 }, () => draw(random)));
});

test("one value is every quantile of its window", () => {
  const p = 1.008;
  expect(summarize(windowOf([p]))).toEqual({ count: 1, sum: p, p50: p, p95: p, p99: p });
});

test("quantiles of whole numbers are whole numbers", () => {
  const values = Array.from({ length: 31 }, (_, index) => index + 1);
  expect(summarize(windowOf(values), Math.floor)).toEqual({ count: 31, sum: 496, p50: 16, p95: 30, p99: 31 });
});

test("a window that was cleared is empty and takes the next values for themselves", () => {
  const window = windowOf([0, 0.000_001, 5, 5, 5]);
  window.clear();
  expect(summarize(window)).toEqual({ count: 0, sum: 0 });
  window.record(0.25);
  expect(summarize(window)).toEqual({ count: 1, sum: 0.25, p50: 0.25, p95: 0.25, p99: 0.25 });
});

test("values beyond every scale stay between minimum and maximum", () => {
  const window = windowOf([Number.MIN_VALUE, 1e-200, 1, 1e200, Number.MAX_VALUE]);
  for (const percent of PERCENTS) {
    expect(window.percentile(percent)).toBeGreaterThanOrEqual(Number.MIN_VALUE);
    expect(window.percentile(percent)).toBeLessThanOrEqual(Number.MAX_VALUE);
  }
});
