import type { Logger } from "../logger.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import type { UsageAlertSettings } from "../settings.ts";

/**
 * Says once when a pool's usage gets high and once when it is back, and the same for overflow. Between `enter` and
 * `leave` nothing is said: a pool that hovers at the threshold does not fill the log.
 */
export class UsageWatcher {
  readonly #enter: number;
  readonly #leave: number;
  readonly #logger: Logger;
  readonly #high = new Set<string>();
  readonly #overflowing = new Set<string>();

  constructor({ enter, leave }: UsageAlertSettings, logger: Logger) {
    this.#enter = enter;
    this.#leave = leave;
    this.#logger = logger;
  }

  look(readings: readonly PoolReading[]): void {
    for (const reading of readings) {
      this.#lookAtUsage(reading);
      this.#lookAtOverflow(reading);
    }
  }

  /** A new pool of an old name has crossed nothing yet. */
  forget(pool: string): void {
    this.#high.delete(pool);
    this.#overflowing.delete(pool);
  }

  #lookAtUsage(reading: PoolReading): void {
    const { pool, utilization } = reading;
    if (!this.#high.has(pool) && utilization >= this.#enter) {
      this.#high.add(pool);
      this.#logger.warn(`${pool} - usage high ${numbers(reading)}; raise max or look for long holds`);
    } else if (this.#high.has(pool) && utilization < this.#leave) {
      this.#high.delete(pool);
      this.#logger.info(`${pool} - usage back to normal ${numbers(reading)}`);
    }
  }

  #lookAtOverflow(reading: PoolReading): void {
    const { pool, overflow, poolSize } = reading;
    if (overflow > 0 && !this.#overflowing.has(pool)) {
      this.#overflowing.add(pool);
      this.#logger.info(
        `${pool} - ${overflow} in use beyond the pool size of ${poolSize} ${numbers(reading)}`,
      );
    } else if (overflow === 0) {
      this.#overflowing.delete(pool);
    }
  }
}

function numbers({ utilization, total, used, idle, waiting, limit }: PoolReading): string {
  const percent = Math.round(utilization * 100);
  return `${percent}% (total=${total}, used=${used}, idle=${idle}, waiting=${waiting}, max=${limit})`;
}
