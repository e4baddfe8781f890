import type { HistogramWindow } from "../metrics/histogram-window.ts";
import type { DistributionSummary } from "./pool-reading.ts";

/** @param round Makes a quantile of it what a value can be, where those are whole numbers. */
export function summarize(
  window: HistogramWindow,
  round: (value: number) => number = (value) => value,
): DistributionSummary {
  const { count, sum } = window;
  if (count === 0) return Object.freeze({ count: 0, sum: 0 });
  return Object.freeze({
    count,
    sum,
    p50: round(window.percentile(50)),
    p95: round(window.percentile(95)),
    p99: round(window.percentile(99)),
  });
}
