import { getOrCreate } from "../get-or-create.ts";
import { SampleLog } from "./sample-log.ts";
import { type Picked, SampleShape, type Wanted } from "./sample-shape.ts";

/** The last samples of each pool, oldest first. */
export class History<T extends object> {
  readonly #size: number;
  readonly #shape = new SampleShape<T>();
  readonly #logs = new Map<string, SampleLog<T>>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Takes the samples of one round, by pool. Pools that are not in it are not watched any more: theirs are dropped. */
  add(round: ReadonlyMap<string, T>): void {
    for (const pool of this.#logs.keys()) if (!round.has(pool)) this.#logs.delete(pool);
    for (const [pool, sample] of round) {
      getOrCreate(this.#logs, pool, () => new SampleLog(this.#shape, this.#size)).add(sample);
    }
  }

  /** A new pool of an old name has no past. */
  forget(pool: string): void {
    this.#logs.delete(pool);
  }

  /**
   * The youngest `limit` samples, oldest first; none for a pool that was never sampled.
   *
   * @param wanted Only these of their values
   */
  last(pool: string, limit: number): T[];
  last<const W extends Wanted<T>>(pool: string, limit: number, wanted: W): Picked<T, W>[];
  last(pool: string, limit: number, wanted?: Wanted<T>): object[] {
    return this.#logs.get(pool)?.last(limit, wanted) ?? [];
  }
}
