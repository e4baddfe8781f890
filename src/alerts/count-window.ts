/** Parts a window is kept in: what is remembered does not grow with the number of samples. */
const PARTS = 60;

interface Point {
  readonly at: number;
  readonly count: number;
}

/** How much one count has grown within a window that moves. Counts begin at 0. */
export class CountWindow {
  readonly #windowMillis: number;
  /** Oldest first; the first is what the count is compared with. */
  #points: Point[] = [];
  #last = 0;

  constructor(windowMillis: number) {
    this.#windowMillis = windowMillis;
  }

  /** The growth until now. A window shorter than the time between two looks reaches back to the look before. */
  grow(at: number, count: number): number {
    if (this.#points.length === 0) this.#points.push({ at, count: 0 });
    // The count began anew: what it lost did not happen, and what it has now may be old.
    if (count < this.#last) this.#points = [{ at, count }];
    this.#last = count;
    const from = at - this.#windowMillis;
    while (this.#points[1] && this.#points[1].at <= from) this.#points.shift();
    const base = this.#points[0]?.count ?? count;
    const newest = this.#points.at(-1)?.at ?? at;
    if (at - newest >= this.#windowMillis / PARTS) this.#points.push({ at, count });
    return count - base;
  }
}
