import { type Buckets, NO_BUCKETS } from "../metrics/buckets.ts";
import type { DistributionSummary } from "./pool-reading.ts";

/** What came between two moments of one series. */
export function summarize(now: Buckets, before: Buckets = NO_BUCKETS): DistributionSummary {
  const counts = before.counts.length === 0 ? now.counts : difference(now.counts, before.counts);
  let count = 0;
  for (const here of counts) count += here;
  if (count === 0) return Object.freeze({ count: 0, sum: 0 });
  const quantile = (q: number) => interpolate(q * count, counts, now.boundaries);
  return Object.freeze({
    count,
    sum: now.sum - before.sum,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  });
}

function difference(now: readonly number[], before: readonly number[]): number[] {
  return now.map((count, bucket) => count - (before[bucket] ?? 0));
}

/** Linear within the bucket, as Prometheus' histogram_quantile; above the last boundary, that boundary. */
function interpolate(rank: number, counts: readonly number[], boundaries: readonly number[]): number {
  let below = 0;
  for (let bucket = 0; bucket < boundaries.length; bucket++) {
    const here = counts[bucket] ?? 0;
    const upper = boundaries[bucket] ?? 0;
    if (here > 0 && below + here >= rank) {
      const lower = bucket === 0 ? 0 : (boundaries[bucket - 1] ?? 0);
      return lower + (upper - lower) * ((rank - below) / here);
    }
    below += here;
  }
  return boundaries.at(-1) ?? 0;
}
