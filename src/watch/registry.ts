import type { WatchedPool } from "./watched-pool.ts";

/** Hears of pools coming under watch. Each reader of metrics keeps its own list, see {@link Tracked}. */
export type PoolListener = (pool: WatchedPool) => void;

/** The pools under watch, by name. Pools that have ended drop out by themselves. */
export class PoolRegistry {
  readonly #pools = new Map<string, WatchedPool>();
  readonly #listeners: PoolListener[] = [];

  onAdd(listener: PoolListener): void {
    this.#listeners.push(listener);
  }

  add(pool: WatchedPool): void {
    this.#pools.set(pool.name, pool);
    for (const listener of this.#listeners) listener(pool);
  }

  get(name: string): WatchedPool | undefined {
    this.#sweep();
    return this.#pools.get(name);
  }

  find(pool: object): WatchedPool | undefined {
    return this.all().find((watched) => watched.pool === pool);
  }

  all(): WatchedPool[] {
    this.#sweep();
    return [...this.#pools.values()];
  }

  #sweep(): void {
    for (const [name, pool] of this.#pools) {
      if (!pool.isOver) continue;
      pool.detach();
      this.#pools.delete(name);
    }
  }
}

/**
 * The pools one reader of metrics still owes something: those under watch, and those that are over but whose last
 * numbers it has not told yet. So nothing counted before the end is lost, and nothing is told for ever after it.
 */
export class Tracked {
  readonly #pools = new Set<WatchedPool>();

  constructor(registry: PoolRegistry) {
    for (const pool of registry.all()) this.#pools.add(pool);
    registry.onAdd((pool) => this.#pools.add(pool));
  }

  /** Each pool once. A pool that is over is given with `last` set and then forgotten. */
  *visit(): Generator<{ pool: WatchedPool; last: boolean }> {
    const names = new Set<string>();
    for (const pool of this.#pools) if (!pool.isOver) names.add(pool.name);
    for (const pool of this.#pools) {
      const last = pool.isOver;
      if (last) this.#pools.delete(pool);
      // A successor of the same name speaks for both: one series can have only one value.
      if (!last || !names.has(pool.name)) yield { pool, last };
    }
  }
}
