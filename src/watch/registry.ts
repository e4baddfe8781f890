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
 * For how long the last numbers of a pool that is over are told: a scrape every minute by two servers, or an export that
 * fails at first, does not miss them.
 */
const LAST_WORD_MILLIS = 5 * 60_000;

/**
 * The pools one reader of metrics still owes something: those under watch, and those that are over but not for long. So
 * nothing counted before the end is lost, and nothing is told for ever after it.
 */
export class Tracked {
  /** When it was seen that a pool is over. */
  readonly #pools = new Map<WatchedPool, number | undefined>();

  constructor(registry: PoolRegistry) {
    for (const pool of registry.all()) this.#pools.set(pool, undefined);
    registry.onAdd((pool) => this.#pools.set(pool, undefined));
  }

  /** Each pool once, those that are over as such. */
  *visit(): Generator<{ pool: WatchedPool; isOver: boolean }> {
    const names = new Set<string>();
    for (const pool of this.#pools.keys()) if (!pool.isOver) names.add(pool.name);
    const at = performance.now();
    for (const [pool, overSince] of this.#pools) {
      const { isOver } = pool;
      if (isOver && overSince === undefined) this.#pools.set(pool, at);
      // A successor of the same name speaks for both: one series can have only one value.
      const isDone = isOver && (names.has(pool.name) || at - (overSince ?? at) > LAST_WORD_MILLIS);
      if (isDone) this.#pools.delete(pool);
      else yield { pool, isOver };
    }
  }
}
