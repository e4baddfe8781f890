import { DEEPEST, SiteDepth } from "./site-depth.ts";

/** Enough for every checkout of most pools, and 1 % of a core where there are more. */
const PER_SECOND = 500;
/** At once, after a pause. */
const BURST = 50;
const ALL_FOR_MILLIS = 10 * 60_000;

/**
 * Which checkouts have the place noted where the application asked for them, and how deep. V8 takes 5 µs to walk a stack,
 * and 15 in real applications, between whose queries the caches are used by others: a third of what a query costs. So a
 * pool has {@link PER_SECOND} of them, unless a leak was suspected whose place is unknown: then all are for a while, at
 * full depth, and the next one is.
 */
export class SiteBudget {
  readonly #depth = new SiteDepth();
  #left = BURST;
  #refilledAt: number = performance.now();
  #allUntil: number;
  #deepUntil = Number.NEGATIVE_INFINITY;

  /** @param notesAll Without a limit */
  constructor(notesAll: boolean) {
    this.#allUntil = notesAll ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** How many frames to note of the checkout that begins now; 0 for none. */
  take(): number {
    const at = performance.now();
    const seconds = (at - this.#refilledAt) / 1000;
    this.#refilledAt = at;
    this.#left = Math.min(BURST, this.#left + seconds * PER_SECOND);
    if (this.#left >= 1) this.#left--;
    else if (at >= this.#allUntil) return 0;
    return at < this.#deepUntil ? DEEPEST : this.#depth.take(at);
  }

  /** A connection is held for too long, and the place where it was asked for is unknown. */
  missed(at: number): void {
    this.#deepUntil = at + ALL_FOR_MILLIS;
    this.#allUntil = Math.max(this.#allUntil, this.#deepUntil);
  }
}
