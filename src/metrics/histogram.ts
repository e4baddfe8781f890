/** Takes one measurement. The fast path is {@link BucketHistogram}; a provider of the user's takes an SDK instrument. */
export interface Recorder {
  record(value: number): void;
}

/**
 * An explicit-bucket histogram in one array of plain numbers. Recording is a short scan and three additions: no
 * allocation, no attributes, no SDK (whose `record` sorts and stringifies attributes every time).
 */
export class BucketHistogram implements Recorder {
  readonly boundaries: readonly number[];
  /**
   * One more than boundaries: the last counts what is above them all. Small integers until they need to be doubles. A
   * Float64Array records as fast, but takes 200 bytes more, and copying it ten times as long.
   */
  readonly counts: number[];
  count = 0;
  sum = 0;
  min: number = Number.POSITIVE_INFINITY;
  max: number = Number.NEGATIVE_INFINITY;

  constructor(boundaries: readonly number[]) {
    this.boundaries = boundaries;
    this.counts = Array.from({ length: boundaries.length + 1 }, () => 0);
  }

  record(seconds: number): void {
    const boundaries = this.boundaries;
    let bucket = 0;
    // Upper bounds are inclusive. A scan beats a binary search here: most durations fall into the first buckets.
    while (bucket < boundaries.length && seconds > (boundaries[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.count++;
    this.sum += seconds;
    if (seconds < this.min) this.min = seconds;
    if (seconds > this.max) this.max = seconds;
  }
}
