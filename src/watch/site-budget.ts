/** Enough for every checkout of most pools, and 1 % of a core where there are more. */
const PER_SECOND = 500;
/** At once, after a pause. */
const BURST = 50;
const ALL_FOR_MILLIS = 10 * 60_000;

/**
 * Which checkouts have the place noted where the application asked for them. V8 takes 5 µs to walk a stack, and 15 in
 * real applications, between whose queries the caches are used by others: a third of what a query costs. So a pool has
 * {@link PER_SECOND} of them, unless a leak was suspected whose place was not noted: then all are for a while, and the
 * next one is.
 */
export class SiteBudget {
  #left = BURST;
  #refilledAt: number = performance.now();
  #allUntil: number;

  /** @param notesAll Without a limit */
  constructor(notesAll: boolean) {
    this.#allUntil = notesAll ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Whether to note the place of the checkout that begins now. */
  take(): boolean {
    if (this.#left < 1) return this.#refilledAt < this.#allUntil;
    this.#left--;
    return true;
  }

  /** A checkout begins. */
  refill(at: number): void {
    const seconds = (at - this.#refilledAt) / 1000;
    this.#refilledAt = at;
    this.#left = Math.min(BURST, this.#left + seconds * PER_SECOND);
  }

  /** A connection is held for too long, and nobody knows where it was asked for. */
  missed(at: number): void {
    this.#allUntil = Math.max(this.#allUntil, at + ALL_FOR_MILLIS);
  }
}
