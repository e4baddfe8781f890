import type { ErrorCounts } from "../error-type.ts";
import type { AwakeClock } from "./awake-clock.ts";
import { DIAL_TIMEOUT, dialErrorType, timeoutType } from "./dial-failure.ts";
import type { DialingClient, HookablePool, PgClient } from "./pg-types.ts";

const FAILURE_MATTERS_MILLIS = 30_000;

/** The connections one pool is opening, and what came of those that failed. */
export class Dials {
  readonly #failures: ErrorCounts;
  readonly #pool: HookablePool;
  /** Since when; undefined for dials older than the watch. */
  readonly #underWay = new Map<PgClient, number | undefined>();
  #lastFailure: { readonly type: string; readonly at: number } | undefined;
  /** The first failure with no connection handed out since. */
  #failingSince: number | undefined;
  /** Errors counted already, so that the caller who is given one does not count it again. */
  readonly #counted = new WeakSet<object>();

  constructor(pool: HookablePool, failures: ErrorCounts) {
    this.#pool = pool;
    this.#failures = failures;
    const idle = new Set<PgClient>(pool._idle?.map(({ client }) => client));
    for (const client of (pool._clients ?? []) as readonly DialingClient[]) {
      const isConnecting = client._connecting === true && client._connected !== true;
      // pg-pool adds `release` when it hands a client out: before that its `onConnect` is looking at it.
      const isNew = pool._idle !== undefined && !idle.has(client) && !("release" in client);
      if (isConnecting || isNew) this.#underWay.set(client, undefined);
    }
  }

  /** How many there are. Dials that pg-pool has given up by itself leave no event: the pool's own list decides. */
  count(): number {
    const clients = this.#pool._clients;
    if (clients && this.#underWay.size > 0) {
      for (const client of this.#underWay.keys()) {
        if (!clients.includes(client)) this.#underWay.delete(client);
      }
    }
    return this.#underWay.size;
  }

  has(client: PgClient): boolean {
    return this.#underWay.has(client);
  }

  started(client: PgClient): void {
    this.#underWay.set(client, performance.now());
    // A client that `onConnect` refused leaves no event, and nobody may ever look.
    if (this.#underWay.size > this.#pool.totalCount) this.count();
  }

  /**
   * The `error.type` of the last dial, if that failed and still matters: since then nothing could be handed out, or it
   * was not long ago.
   */
  failing(lastHandedOutAt: number): string | undefined {
    const last = this.#lastFailure;
    if (!last) return undefined;
    const isRecent = performance.now() - last.at < FAILURE_MATTERS_MILLIS;
    return isRecent || lastHandedOutAt < last.at ? last.type : undefined;
  }

  /**
   * For how long connections could not be had: since the first dial that failed, or hangs, with none handed out after
   * its beginning. 0 while they can, or nobody tried. Without the time in which the process was frozen.
   */
  failingSeconds(lastHandedOutAt: number, clock: AwakeClock): number {
    const at = performance.now();
    let since = this.#hasFailedSince(lastHandedOutAt) ?? at;
    if (this.count() > 0) {
      for (const begun of this.#underWay.values()) {
        if (begun !== undefined && begun > lastHandedOutAt && begun < since) since = begun;
      }
    }
    return clock.awakeMillis(since, at) / 1000;
  }

  /** @returns When it had begun, if that is known. */
  succeeded(client: PgClient): number | undefined {
    this.forgetFailures();
    return this.#end(client);
  }

  /** They are counted, but matter no more. */
  forgetFailures(): void {
    this.#lastFailure = undefined;
    this.#failingSince = undefined;
  }

  #hasFailedSince(lastHandedOutAt: number): number | undefined {
    const since = this.#failingSince;
    return since !== undefined && since >= lastHandedOutAt ? since : undefined;
  }

  #end(client: PgClient): number | undefined {
    const since = this.#underWay.get(client);
    this.#underWay.delete(client);
    return since;
  }

  failed(client: PgClient, error: unknown, lastHandedOutAt: number): void {
    const since = this.#end(client);
    const at = performance.now();
    this.#failingSince = this.#hasFailedSince(lastHandedOutAt) ?? at;
    this.#count(this.#isTimeout(error, since) ? DIAL_TIMEOUT : dialErrorType(error));
    if (typeof error === "object" && error !== null) this.#counted.add(error);
  }

  /** A caller got an error that is no timeout: of its dial, which is counted, or of a hook around it. */
  callerFailed(error: unknown): void {
    const isCounted = typeof error === "object" && error !== null && this.#counted.has(error);
    if (!isCounted) this.#count(dialErrorType(error));
  }

  forgetAll(): void {
    this.#underWay.clear();
  }

  /** pg-pool gives up on a dial by destroying its socket, which reads like a connection lost. The clock tells. */
  #isTimeout(error: unknown, since: number | undefined): boolean {
    if (timeoutType(error) === DIAL_TIMEOUT) return true;
    const limit = this.#pool.options.connectionTimeoutMillis;
    if (!limit || since === undefined || (error as { code?: unknown } | null)?.code !== undefined)
      return false;
    // Timers and the clock differ by up to a millisecond.
    return performance.now() - since >= limit - 1;
  }

  #count(type: string): void {
    this.#failures.count(type);
    this.#lastFailure = { type, at: performance.now() };
  }
}
