import type { WatchedPool } from "./watched-pool.ts";

/** Hears of pools coming under watch. */
export type PoolListener = (pool: WatchedPool) => void;

/** The pools under watch, by name. Pools that have ended drop out when somebody looks. */
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
    this.sweep();
    return this.#pools.get(name);
  }

  find(pool: object): WatchedPool | undefined {
    return this.all().find((watched) => watched.pool === pool);
  }

  all(): WatchedPool[] {
    this.sweep();
    return [...this.#pools.values()];
  }

  /** Lets go of the pools that have ended. */
  sweep(): void {
    for (const [name, pool] of this.#pools) {
      if (!pool.isOver) continue;
      pool.detach();
      this.#pools.delete(name);
    }
  }
}
