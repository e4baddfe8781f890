import type { Connection } from "./connection.ts";
import type { Hold } from "./hold.ts";
import type { WatchedPool } from "./watched-pool.ts";

/**
 * Finds connections held for too long: one look at all pools now and then, and no timer for a checkout. Only those the
 * application asked for with `connect()` can leak; `pool.query` returns its own.
 */
export class LeakDetector {
  readonly #afterMillis: number;
  readonly #report: (pool: WatchedPool, connection: Connection, hold: Hold) => void;

  constructor(afterMillis: number, report: (pool: WatchedPool, connection: Connection, hold: Hold) => void) {
    this.#afterMillis = afterMillis;
    this.#report = report;
  }

  /** How often to look: a leak is reported at most a quarter late. 0: never. */
  get intervalMillis(): number {
    return this.#afterMillis === 0 ? 0 : Math.min(5_000, Math.max(10, Math.ceil(this.#afterMillis / 4)));
  }

  look(pools: readonly WatchedPool[]): void {
    const at = performance.now();
    for (const pool of pools) {
      for (const connection of pool.held()) {
        const { hold } = connection;
        if (!hold.isExplicit || hold.isSuspected || at - hold.since < this.#afterMillis) continue;
        pool.suspect(hold);
        this.#report(pool, connection, hold);
      }
    }
  }
}
