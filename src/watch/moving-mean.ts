/** How many of the youngest values matter most. */
const SPAN = 32;

/** An exponentially weighted mean: one division and two additions a value, and nothing kept but the mean. */
export class MovingMean {
  value = 0;
  #values = 0;

  add(value: number): void {
    // The plain mean of the first values: the very first one must not linger.
    if (this.#values < SPAN) this.#values++;
    this.value += (value - this.value) / this.#values;
  }
}
