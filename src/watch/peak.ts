/**
 * The highest value of a gauge since the previous sample, for readers that come at any time and in any number.
 *
 * Reading changes nothing. The sampler closes the running window and then reads: it sees exactly the interval since
 * its previous sample. Everyone else sees the last closed window and the running one, so a scrape between two samples
 * misses nothing as long as it comes at least once per sample interval.
 */
export class Peak {
  #closed = 0;
  #running = 0;

  /** The value has risen to `value`, at least for a moment. */
  raise(value: number): void {
    if (value > this.#running) this.#running = value;
  }

  /** Ends the running window; the next one starts at the value as it is now. */
  closeWindow(now: number): void {
    this.#closed = Math.max(this.#running, now);
    this.#running = now;
  }

  /** `now` is the value at this moment: a peak is never lower. */
  read(now: number): number {
    return Math.max(this.#closed, this.#running, now);
  }
}
