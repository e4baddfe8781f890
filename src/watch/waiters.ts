import type { Hold } from "./hold.ts";

const MILLIS = 1000;
/** A reading lists no more waiters than this. */
const MAX_AGES = 100;
/** So many who wait no more are still in the queue. */
const MAX_LEFT = 32;

/** Who waits for one pool and since when, in the order they came. */
export class Waiters {
  readonly #watchedSince = performance.now();
  /** Oldest first. Those who wait no more stay until there are many: a Set would be made anew for every few who come and go. */
  #queue: Hold[] = [];
  size = 0;
  /** Since when callers wait and nothing is handed out or returned; NaN while nobody is kept waiting. */
  #starvedSince = NaN;

  /** Asked for at `since`. */
  enter(hold: Hold, since: number): void {
    hold.isWaiting = true;
    this.#queue.push(hold);
    this.size++;
    if (Number.isNaN(this.#starvedSince)) this.#starvedSince = since;
  }

  leave(hold: Hold): void {
    hold.isWaiting = false;
    this.size--;
    if (this.size === 0 || this.#queue.length > 2 * this.size + MAX_LEFT) this.#queue = this.#waiting();
  }

  #waiting(): Hold[] {
    return this.#queue.filter(({ isWaiting }) => isWaiting);
  }

  /** A connection was handed out or returned: the pool is not stuck. */
  moved(at: number): void {
    if (!Number.isNaN(this.#starvedSince)) this.#starvedSince = this.size > 0 ? at : NaN;
  }

  /** Also while nobody waits at this moment: whoever gave up since was kept waiting too. */
  stalledSeconds(at: number): number {
    return Number.isNaN(this.#starvedSince) ? 0 : (at - this.#starvedSince) / MILLIS;
  }

  /**
   * Oldest first. pg-pool serves its queue in order, so those still queued are the youngest of all who had to wait;
   * the others' connections are being dialed. Waiters from before the watch are as old as the watch, at least.
   */
  agesSeconds(queued: number, at: number): number[] {
    if (queued === 0) return [];
    // One that waits is held since it was asked for.
    const known = this.#waiting()
      .slice(-queued)
      .map(({ since }) => since);
    const unknown = Array.from({ length: Math.max(0, queued - known.length) }, () => this.#watchedSince);
    return [...unknown, ...known].slice(0, MAX_AGES).map((since) => (at - since) / MILLIS);
  }

  /** How many wait although their caller has gone. */
  countGone(): number {
    let gone = 0;
    for (const { isWaiting, task } of this.#queue) if (isWaiting && task?.isGone) gone++;
    return gone;
  }

  /** How many different holds the waiters sit on. */
  countHolds(): number {
    const holds = new Set<Hold>();
    for (const { outer } of this.#waiting()) if (outer && !outer.isReleased) holds.add(outer);
    return holds.size;
  }

  forgetAll(): void {
    this.#queue = [];
    this.size = 0;
    this.#starvedSince = NaN;
  }
}
