/** How many of the youngest values matter most. */
const SPAN = 32;

/** An exponentially weighted mean: one multiplication and two additions a value, and nothing kept but the mean. */
export class MovingMean {
  value = 0;
  #weight = 1;

  add(value: number): void {
    this.value += (value - this.value) * this.#weight;
    // The plain mean of the first values: the very first one must not linger.
    if (this.#weight > 1 / SPAN) this.#weight /= 1 + this.#weight;
  }
}
