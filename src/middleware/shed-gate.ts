import type { Logger } from "../logger.ts";
import type { LoadGuard } from "../watch/pool-state.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";

/** From where on a pool has too many waiting. */
export interface ShedLimits {
  /** Undefined: ten for each connection the pool may open. */
  readonly maxWaiting: number | undefined;
  readonly maxWaitMillis: number;
}

const WAITING_PER_CONNECTION = 10;
/** A gate that was closed opens only when this much of each limit is left: one that flutters helps nobody. */
const OPENS_BELOW = 0.5;
/** So many times the limit are too many even where their clients have gone: each takes memory. */
const GONE_BEYOND = 10;
/** Under lasting overload a gate closes and opens several times a second. That is one story in the log, not hundreds. */
const CALM_MILLIS = 5_000;

/** A time in which requests were shed again and again. */
interface Episode {
  readonly since: number;
  shed: number;
  lastShedAt: number;
}

/**
 * Whether requests are to be kept away from one pool. Asked for each request, so it reads a few plain numbers and
 * computes one product; nothing here waits, allocates or sets a timer while all is well.
 */
export class ShedGate implements LoadGuard {
  readonly pool: WatchedPool;
  readonly #limits: ShedLimits;
  readonly #logger: Logger;
  #isClosed = false;
  #episode: Episode | undefined;

  constructor(pool: WatchedPool, limits: ShedLimits, logger: Logger) {
    this.pool = pool;
    this.#limits = limits;
    this.#logger = logger;
    pool.guards.add(this);
  }

  /** As of now. A pool that is not watched any more keeps nobody away. */
  isClosed(): boolean {
    const { pool } = this;
    const { waiting } = pool;
    const part = this.#isClosed ? OPENS_BELOW : 1;
    this.#isClosed =
      waiting > 0 &&
      !pool.isOver &&
      (this.#areTooMany(waiting, part * this.#maxWaiting()) ||
        this.#expectedWaitMillis(waiting) > part * this.#limits.maxWaitMillis);
    if (this.#episode) this.#endWhenCalm(this.#episode);
    return this.#isClosed;
  }

  /** A request was refused because of this pool. */
  shed(): void {
    const at = performance.now();
    this.pool.counts.shed++;
    this.#episode ??= this.#begin(at);
    this.#episode.shed++;
    this.#episode.lastShedAt = at;
  }

  look(): boolean {
    return this.isClosed() || this.#episode !== undefined;
  }

  end(): void {
    this.#isClosed = false;
    if (this.#episode) this.#finish(this.#episode);
  }

  /**
   * Callers whose client has gone are not waited for. The expected wait counts them all the same, because each is handed a
   * connection when its turn comes; and a queue that is many times too long is, whoever is in it.
   */
  #areTooMany(waiting: number, limit: number): boolean {
    if (waiting < limit) return false;
    return waiting >= GONE_BEYOND * limit || waiting - this.pool.countGone() >= limit;
  }

  #maxWaiting(): number {
    return this.#limits.maxWaiting ?? WAITING_PER_CONNECTION * this.pool.limit;
  }

  /** How long a request that comes now would be queued: those before it, each for a hold, over all connections. */
  #expectedWaitMillis(waiting: number): number {
    const { limit, meanHoldSeconds } = this.pool;
    return limit > 0 ? (waiting * meanHoldSeconds * 1000) / limit : 0;
  }

  #begin(at: number): Episode {
    const { pool } = this;
    const { waiting } = pool;
    const wait =
      pool.meanHoldSeconds > 0 ? `${Math.round(this.#expectedWaitMillis(waiting))} ms` : "not known yet";
    this.#logger.warn(
      `${pool.name} - shedding load: ${waiting} wait, expected wait ${wait} ` +
        `(maxWaiting=${this.#maxWaiting()}, maxWaitMillis=${this.#limits.maxWaitMillis}, max=${pool.limit}); ` +
        "raise max, shorten holds, or send less",
    );
    return { since: at, shed: 0, lastShedAt: at };
  }

  #endWhenCalm(episode: Episode): void {
    if (!this.#isClosed && performance.now() - episode.lastShedAt >= CALM_MILLIS) this.#finish(episode);
  }

  #finish({ shed, since, lastShedAt }: Episode): void {
    this.#episode = undefined;
    const seconds = ((lastShedAt - since) / 1000).toFixed(1);
    this.#logger.info(
      `${this.pool.name} - no longer shedding load: ${shed} ${shed === 1 ? "request was" : "requests were"} shed in ${seconds} s`,
    );
  }
}
