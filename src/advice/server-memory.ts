import { type KindTimes, MOST_KINDS } from "../queries/busy-times.ts";
import { findKnee, type Knee } from "./knee.ts";

/** After so many samples what was seen counts half: ten minutes at the default interval. */
const HALF_LIFE_SAMPLES = 60;
/** A kind of statement that has fewer left makes room for others. */
const FEWEST_KEPT = 5;

/** What is known of one pool's server, from sample to sample. */
export class ServerMemory {
  readonly #kinds: KindTimes = new Map();
  #samples = 0;
  #knee: Knee | undefined;

  get knee(): Knee | undefined {
    return this.#knee;
  }

  /** @param since What was measured since the last sample. */
  add(since: KindTimes): void {
    if (++this.#samples % HALF_LIFE_SAMPLES === 0) this.#fade();
    for (const [kind, times] of since) {
      const known = this.#kinds.get(kind);
      if (!known && this.#kinds.size < MOST_KINDS) this.#kinds.set(kind, times);
      if (known)
        for (let at = 0; at < times.length; at++) known[at] = (known[at] ?? 0) + (times[at] as number);
    }
    this.#knee = findKnee(this.#kinds);
  }

  /** Halves what is known; groups and kinds of which little is left are given up. */
  #fade(): void {
    for (const [kind, times] of this.#kinds) {
      let left = 0;
      for (let at = 0; at < times.length; at += 2) {
        const count = (times[at] as number) / 2;
        times[at] = count;
        times[at + 1] = (times[at + 1] as number) / 2;
        left += count;
      }
      if (left < FEWEST_KEPT) this.#kinds.delete(kind);
    }
  }
}
