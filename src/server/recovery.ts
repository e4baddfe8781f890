import type { PoolReading } from "../readings/pool-reading.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { Pings } from "./ping.ts";

/** Holds up the answer to a probe, which waits for a second at most. */
const TIMEOUT_MILLIS = 500;
const CACHE_MILLIS = 500;

/**
 * A pool finds out that its server is back by the next request that needs a connection. But a pool that is down gets no
 * requests any more: load balancers have turned away. So the servers of pools that are down are asked beside them.
 */
export class Recovery {
  readonly #registry: PoolRegistry;
  readonly #pings: Pings;
  readonly #afterSeconds: number;

  /** @param afterSeconds From this long without a connection on a pool counts as down */
  constructor(registry: PoolRegistry, pings: Pings, afterSeconds: number) {
    this.#registry = registry;
    this.#pings = pings;
    this.#afterSeconds = afterSeconds;
  }

  /** @returns Whether a pool is not down any more, and the readings are out of date. Never rejects. */
  async look(readings: readonly PoolReading[]): Promise<boolean> {
    const down = readings.filter(({ connectFailingSeconds }) => connectFailingSeconds >= this.#afterSeconds);
    if (down.length === 0) return false;
    const revived = await Promise.all(down.map(({ pool }) => this.#ask(pool)));
    return revived.includes(true);
  }

  async #ask(pool: string): Promise<boolean> {
    const answer = await this.#pings.ping(pool, TIMEOUT_MILLIS, CACHE_MILLIS);
    if (!answer?.isReachable) return false;
    this.#registry.get(pool)?.serverAnswers();
    return true;
  }
}
