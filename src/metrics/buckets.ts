/** Counts of one histogram at one moment, cumulative since the watch began. */
export interface Buckets {
  readonly boundaries: readonly number[];
  /** Of each bucket alone; the last is what is above all boundaries. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export const NO_BUCKETS: Buckets = { boundaries: [], counts: [], sum: 0 };

/** Several series of the same histogram, together. */
export function addBuckets(series: readonly Buckets[]): Buckets {
  const [first = NO_BUCKETS, ...others] = series;
  if (others.length === 0) return first;
  const counts = first.counts.slice();
  let { sum } = first;
  for (const other of others) {
    sum += other.sum;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      counts[bucket] = (counts[bucket] as number) + (other.counts[bucket] ?? 0);
    }
  }
  return { boundaries: first.boundaries, counts, sum };
}
