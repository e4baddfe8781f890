/** Sixteen buckets an octave: the upper bound of each is at most 1/16 above the lower one. */
const BUCKETS_AN_OCTAVE = 16;
/** Below the bits of a double's upper half that name the bucket: its exponent and four bits of its mantissa. */
const SHIFT = 16;
/** A picosecond. What is less is counted together. */
const LOWEST = 2 ** -40;
/** The bucket of `2 ** -40`, and that of `2 ** 40`: what is more is counted there. */
const FIRST = (1023 - 40) * BUCKETS_AN_OCTAVE;
const LAST = (1023 + 40) * BUCKETS_AN_OCTAVE;
/** Far from what 32 bits hold; a window without samples may last for days. */
const LARGEST_COUNT = 2 ** 31;

const DOUBLE = new Float64Array(1);
const HALVES = new Uint32Array(DOUBLE.buffer);
DOUBLE[0] = 1;
/** The half with the exponent: the second one, but on big-endian machines. */
const UPPER = HALVES[0] === 0 ? 1 : 0;

// Where the exact numbers are. In one array of doubles, as in BucketHistogram.
const COUNT = 0;
const SUM = 1;
const MIN = 2;
const MAX = 3;
const TINY = 4;
const NO_COUNTS = new Uint32Array(0);
const EMPTY: readonly number[] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];

/**
 * The values of a metric since its last sample, of all its series together. Count, sum, minimum and maximum are exact;
 * quantiles come from base-2 exponential buckets and are within 1/32 (3.1 %) of the value of that rank, whatever the
 * distribution. There are buckets only for the octaves that values fall into and those between them.
 */
export class HistogramWindow {
  readonly #numbers: number[] = [...EMPTY];
  /** The bucket that the first of `#counts` is of. */
  #first = FIRST;
  #counts = NO_COUNTS;

  /** @param value Zero or more, and finite. */
  record(value: number): void {
    const numbers = this.#numbers;
    numbers[COUNT] = this.count + 1;
    numbers[SUM] = this.sum + value;
    if (value < this.min) numbers[MIN] = value;
    if (value > this.max) numbers[MAX] = value;
    if (value < LOWEST) {
      numbers[TINY] = (numbers[TINY] as number) + 1;
      return;
    }
    DOUBLE[0] = value;
    // The exponent and the first bits of the mantissa are a logarithm already: no call of `Math.log2`.
    let at = ((HALVES[UPPER] as number) >>> SHIFT) - this.#first;
    if (at < 0 || at >= this.#counts.length) at = this.#reach(at + this.#first);
    const count = (this.#counts[at] as number) + 1;
    this.#counts[at] = count;
    if (count === LARGEST_COUNT) this.#halve();
  }

  get count(): number {
    return this.#numbers[COUNT] as number;
  }

  get sum(): number {
    return this.#numbers[SUM] as number;
  }

  get min(): number {
    return this.#numbers[MIN] as number;
  }

  get max(): number {
    return this.#numbers[MAX] as number;
  }

  /**
   * The smallest value that so many of 100 values do not exceed, never below the minimum or above the maximum.
   *
   * @returns NaN when nothing was recorded.
   */
  percentile(percent: number): number {
    const tiny = this.#numbers[TINY] as number;
    const all = this.#counts.reduce((sum, count) => sum + count, tiny);
    if (all === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil((all * percent) / 100));
    if (rank === all) return this.max;
    if (rank === 1) return this.min;
    let seen = tiny;
    let at = -1;
    while (seen < rank) seen += this.#counts[++at] as number;
    const value = at < 0 ? this.min : middle(this.#first + at);
    return Math.min(this.max, Math.max(this.min, value));
  }

  /** Begins anew. The buckets stay: the next values are mostly like the last ones. */
  clear(): void {
    for (let at = 0; at < EMPTY.length; at++) this.#numbers[at] = EMPTY[at] as number;
    this.#counts.fill(0);
  }

  /** Makes room for a bucket, an octave at a time. @returns Where it is. */
  #reach(wanted: number): number {
    const bucket = Math.min(wanted, LAST);
    const old = this.#counts;
    const octave = bucket - (bucket % BUCKETS_AN_OCTAVE);
    const first = old.length > 0 ? Math.min(octave, this.#first) : octave;
    const end = Math.max(octave + BUCKETS_AN_OCTAVE, old.length > 0 ? this.#first + old.length : 0);
    if (end - first > old.length) {
      this.#counts = new Uint32Array(end - first);
      this.#counts.set(old, old.length > 0 ? this.#first - first : 0);
      this.#first = first;
    }
    return bucket - this.#first;
  }

  /** Quantiles stay as they are. */
  #halve(): void {
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at] = (this.#counts[at] as number) / 2;
    this.#numbers[TINY] = Math.floor((this.#numbers[TINY] as number) / 2);
  }
}

/** Five bits of mantissa and no more: the history keeps such a number in few bytes. */
function middle(bucket: number): number {
  DOUBLE[0] = 0;
  HALVES[UPPER] = (bucket + 0.5) * 2 ** SHIFT;
  return DOUBLE[0];
}
