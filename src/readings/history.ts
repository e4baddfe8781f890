/** The last samples of each pool, oldest first. */
export class History<T extends { readonly pool: string }> {
  readonly #size: number;
  readonly #samples = new Map<string, T[]>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Takes the samples of one round. Pools that are not in it are not watched any more: theirs are dropped. */
  add(round: readonly T[]): void {
    const present = new Set(round.map(({ pool }) => pool));
    for (const pool of this.#samples.keys()) if (!present.has(pool)) this.#samples.delete(pool);
    for (const sample of round) {
      const samples = this.#samples.get(sample.pool) ?? [];
      samples.push(sample);
      if (samples.length > this.#size) samples.shift();
      this.#samples.set(sample.pool, samples);
    }
  }

  /** A new pool of an old name has no past. */
  forget(pool: string): void {
    this.#samples.delete(pool);
  }

  /** The youngest `limit` samples, oldest first; none for a pool that was never sampled. */
  last(pool: string, limit: number): T[] {
    return (this.#samples.get(pool) ?? []).slice(-limit);
  }
}
