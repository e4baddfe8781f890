/**
 * A look at the clock costs 45 ns. `pool.query` asks its question at the very moment it is handed a connection, and
 * returns that at the moment it is answered: the first of the two leaves its time here for the second.
 */
export class Moment {
  /** A number always: V8 keeps it in place, and allocates for one that may be undefined. */
  #at = NaN;

  /** Until {@link pass}, which has to follow in the same breath. */
  leave(at: number): void {
    this.#at = at;
  }

  pass(): void {
    this.#at = NaN;
  }

  /** What was left, for one only; else NaN. */
  take(): number {
    const at = this.#at;
    this.#at = NaN;
    return at;
  }
}
