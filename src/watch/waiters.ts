import type { Hold } from "./connection.ts";

/** A caller that found neither an idle connection nor room for one. */
export interface Waiter {
  readonly since: number;
  /** What this caller holds of the same pool already, where that is looked for. */
  readonly holds: Hold | undefined;
}

const MILLIS = 1000;
/** A reading lists no more waiters than this. */
const MAX_AGES = 100;

/** Who waits for one pool and since when, in the order they came. */
export class Waiters {
  readonly #watchedSince = performance.now();
  readonly #waiters = new Set<Waiter>();
  /** Since when callers wait and nothing is handed out or returned; undefined while nobody is kept waiting. */
  #starvedSince: number | undefined;

  get size(): number {
    return this.#waiters.size;
  }

  enter(since: number, holds: Hold | undefined): Waiter {
    const waiter = { since, holds };
    this.#waiters.add(waiter);
    this.#starvedSince ??= since;
    return waiter;
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** A connection was handed out or returned: the pool is not stuck. */
  moved(at: number): void {
    if (this.#starvedSince !== undefined) this.#starvedSince = this.#waiters.size > 0 ? at : undefined;
  }

  /** Also while nobody waits at this moment: whoever gave up since was kept waiting too. */
  stalledSeconds(at: number): number {
    return this.#starvedSince === undefined ? 0 : (at - this.#starvedSince) / MILLIS;
  }

  /**
   * Oldest first. pg-pool serves its queue in order, so those still queued are the youngest of all who had to wait;
   * the others' connections are being dialed. Waiters from before the watch are as old as the watch, at least.
   */
  agesSeconds(queued: number, at: number): number[] {
    if (queued === 0) return [];
    const known = [...this.#waiters].slice(-queued).map(({ since }) => since);
    const unknown = Array.from({ length: Math.max(0, queued - known.length) }, () => this.#watchedSince);
    return [...unknown, ...known].slice(0, MAX_AGES).map((since) => (at - since) / MILLIS);
  }

  /** How many different holds the waiters sit on. */
  countHolds(): number {
    const holds = new Set<Hold>();
    for (const waiter of this.#waiters) if (waiter.holds && !waiter.holds.isReleased) holds.add(waiter.holds);
    return holds.size;
  }

  forgetAll(): void {
    this.#waiters.clear();
    this.#starvedSince = undefined;
  }
}
