/** Parts a window is kept in: what is remembered does not grow with the number of samples. */
const PARTS = 20;

interface Point {
  readonly at: number;
  readonly count: number;
}

/** How much one count has grown within a window that moves. Counts begin at 0. */
export class CountWindow {
  readonly #windowMillis: number;
  /** Oldest first: what the count is compared with, one for each part of the window, the last look. */
  #points: Point[] = [{ at: Number.NEGATIVE_INFINITY, count: 0 }];

  constructor(windowMillis: number) {
    this.#windowMillis = windowMillis;
  }

  /** The growth until now. A window shorter than the time between two looks reaches back to the look before. */
  grow(at: number, count: number): number {
    // The count began anew: what it lost did not happen, and what it has now may be old.
    if (count < (this.#points.at(-1)?.count ?? 0)) this.#points = [];
    const from = at - this.#windowMillis;
    while (this.#points[1] && this.#points[1].at <= from) this.#points.shift();
    const base = this.#points[0]?.count ?? count;
    const beforeLast = this.#points.at(-2);
    if (beforeLast && at - beforeLast.at < this.#windowMillis / PARTS) this.#points.pop();
    this.#points.push({ at, count });
    return count - base;
  }
}
