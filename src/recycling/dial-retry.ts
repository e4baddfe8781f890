import { override } from "../watch/override.ts";
import type { PendingItem } from "./inside.ts";
import type { Recycler } from "./recycler.ts";

const FIRST_PAUSE_MILLIS = 25;
const LONGEST_PAUSE_MILLIS = 250;
const noop = () => {};

/**
 * While a server restarts it refuses connections. Those who ask for one meanwhile stay in pg-pool's queue, where they are
 * seen waiting, and one dial at a time finds out when it is back. Who has waited long enough gets the error of that dial,
 * as without recycling. A pool that never was connected is not waited for: its address may be wrong.
 */
export class DialRetry {
  readonly #recycler: Recycler;
  /** Those put back into the queue, and until when it is tried for them. */
  readonly #deadlines = new Map<PendingItem, number>();
  /** When it was first tried for somebody. */
  readonly #since = new WeakMap<PendingItem, number>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMillis = FIRST_PAUSE_MILLIS;
  #isProbing = false;
  #probe: PendingItem | undefined;

  constructor(recycler: Recycler) {
    this.#recycler = recycler;
  }

  get isRetrying(): boolean {
    return this.#timer !== undefined;
  }

  hook(): () => void {
    const recycler = this.#recycler;
    const retry = this;
    const unhook = override(recycler.pool, "newClient", (original) => {
      return function newClient(item) {
        if (!recycler.isActive) return Reflect.apply(original, recycler.pool, [item]);
        if (retry.#timer !== undefined && !retry.#isProbing) return retry.#park(item);
        return Reflect.apply(original, recycler.pool, [retry.#watched(item)]);
      };
    });
    return () => {
      unhook();
      this.#giveUp();
    };
  }

  /** The same request, whose outcome we hear of first. */
  #watched(pendingItem: PendingItem): PendingItem {
    if (!this.#since.has(pendingItem)) this.#since.set(pendingItem, performance.now());
    if (this.#isProbing) this.#probe = pendingItem;
    const settled = (error: unknown) => this.#settled(pendingItem, error);
    return {
      ...(pendingItem.isForShelf && { isForShelf: true }),
      get timedOut() {
        return pendingItem.timedOut === true;
      },
      callback(...args) {
        // By the name it has in pg-pool: what is no function is said to be none in the same words.
        if (settled(args[0])) pendingItem.callback(...args);
      },
    };
  }

  /** @returns Whether the caller is to hear of it. */
  #settled(item: PendingItem, error: unknown): boolean {
    const recycler = this.#recycler;
    if (this.#probe === item) this.#probe = undefined;
    if (!error) {
      recycler.hasConnected = true;
      recycler.lastConnectError = undefined;
      this.#recovered();
      return true;
    }
    recycler.lastConnectError = error as object;
    if (!recycler.isActive || recycler.pool.ending || !recycler.hasConnected || !isPassing(error))
      return true;
    if (performance.now() >= this.#deadlineOf(item)) return true;
    this.#park(item);
    return false;
  }

  #deadlineOf(item: PendingItem): number {
    const { pool, settings } = this.#recycler;
    const limit = Math.min(
      settings.dialRetryMillis,
      pool.options.connectionTimeoutMillis || Number.POSITIVE_INFINITY,
    );
    return (this.#since.get(item) ?? performance.now()) + limit;
  }

  #park(item: PendingItem): void {
    const { pool, isArriving } = this.#recycler;
    if (!this.#since.has(item)) this.#since.set(item, performance.now());
    this.#deadlines.set(item, this.#deadlineOf(item));
    if (isArriving) pool._pendingQueue.push(item);
    else pool._pendingQueue.unshift(item);
    this.#schedule();
  }

  /** The one timer that keeps the process alive: as long as callers wait, as a dial would. */
  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } catch (fault) {
        this.#recycler.faulted(fault);
      }
    }, this.#pauseMillis);
  }

  #look(): void {
    const { pool } = this.#recycler;
    const at = performance.now();
    for (const [item, deadline] of this.#deadlines) {
      // Served by a client that was returned, or gone with pg-pool's own timeout.
      if (!pool._pendingQueue.includes(item)) this.#deadlines.delete(item);
      else if (at >= deadline || pool.ending) this.#fail(item);
    }
    if (this.#deadlines.size === 0 && !this.#probe) {
      this.#pauseMillis = FIRST_PAUSE_MILLIS;
      return;
    }
    this.#pauseMillis = Math.min(2 * this.#pauseMillis, LONGEST_PAUSE_MILLIS);
    this.#schedule();
    if (this.#probe) return;
    this.#isProbing = true;
    try {
      pool._pulseQueue();
    } finally {
      this.#isProbing = false;
    }
  }

  #recovered(): void {
    if (this.#timer === undefined) return;
    this.#stop();
    const { pool } = this.#recycler;
    // After the caller who brought the good news has its client.
    process.nextTick(() => {
      for (let turns = pool._pendingQueue.length; turns > 0; turns--) pool._pulseQueue();
    });
  }

  /** Recycling ends: everybody is served as pg-pool serves them. */
  #giveUp(): void {
    if (this.#timer !== undefined) this.#recovered();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pauseMillis = FIRST_PAUSE_MILLIS;
    this.#deadlines.clear();
  }

  #fail(item: PendingItem): void {
    const { pool, lastConnectError } = this.#recycler;
    this.#deadlines.delete(item);
    pool._pendingQueue.splice(pool._pendingQueue.indexOf(item), 1);
    // Its own callback throws into nobody's hands, as from a dial.
    process.nextTick(item.callback, lastConnectError as Error, undefined, noop);
  }
}

/** What a server that is going down or coming up says. Wrong addresses and passwords do not pass by themselves. */
function isPassing(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === "string") return /^(ECONNREFUSED|ECONNRESET|EPIPE|57P0[123])$/.test(code);
  return message === "Connection terminated unexpectedly";
}
