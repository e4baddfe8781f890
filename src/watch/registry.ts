import type { PoolCounts } from "./pool-counts.ts";
import { watchesOf } from "./watch-of.ts";
import type { WatchedPool } from "./watched-pool.ts";

/** Called with each pool that comes under watch. */
export type PoolListener = (pool: WatchedPool) => void;

/** Called with what a pool has counted that was collected as garbage. */
export type GoneListener = (counts: PoolCounts) => void;

/**
 * The pools under watch, by name. A pool owns its watch, and the registry does not keep it: one that the application has
 * dropped, with `end()` or without, is collected as if it were not watched. Pools that have ended drop out when the
 * registry is read.
 */
export class PoolRegistry {
  readonly #pools = new Map<string, WeakRef<WatchedPool>>();
  readonly #listeners: PoolListener[] = [];
  readonly #goneListeners: GoneListener[] = [];
  readonly #collected = new FinalizationRegistry<PoolCounts>((counts) => this.#gone(counts));

  onAdd(listener: PoolListener): void {
    this.#listeners.push(listener);
  }

  onGone(listener: GoneListener): void {
    this.#goneListeners.push(listener);
  }

  add(pool: WatchedPool): void {
    this.#pools.set(pool.name, new WeakRef(pool));
    this.#collected.register(pool, pool.counts);
    for (const listener of this.#listeners) listener(pool);
  }

  get(name: string): WatchedPool | undefined {
    const pool = this.#pools.get(name)?.deref();
    if (pool && !pool.isOver) return pool;
    this.#drop(name, pool);
    return undefined;
  }

  /** Also by a Proxy of the pool. */
  find(pool: object): WatchedPool | undefined {
    return watchesOf(pool).find((watched) => this.get(watched.name) === watched);
  }

  all(): WatchedPool[] {
    const all: WatchedPool[] = [];
    for (const [name, ref] of this.#pools) {
      const pool = ref.deref();
      if (pool && !pool.isOver) all.push(pool);
      else this.#drop(name, pool);
    }
    return all;
  }

  /** Lets go of the pools that have ended. */
  sweep(): void {
    for (const [name, ref] of this.#pools) {
      const pool = ref.deref();
      if (!pool || pool.isOver) this.#drop(name, pool);
    }
  }

  #drop(name: string, pool: WatchedPool | undefined): void {
    pool?.detach();
    this.#pools.delete(name);
  }

  #gone(counts: PoolCounts): void {
    // By now the name may be another pool's.
    if (!this.#pools.get(counts.name)?.deref()) this.#pools.delete(counts.name);
    for (const listener of this.#goneListeners) listener(counts);
  }
}
