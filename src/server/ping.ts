import { errorCode } from "../error-type.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { withOwnConnection } from "./own-connection.ts";

/** What asking a server came to. */
export interface PingResult {
  readonly isReachable: boolean;
  /** From the dial to the answer. */
  readonly seconds: number;
  /** SQLSTATE or Node's error code of the failure, where it has one. Never a message: that may name hosts and users. */
  readonly code?: string;
}

/** Asks the servers of watched pools, each over a short-lived connection of its own. Never rejects. */
export class Pings {
  readonly #registry: PoolRegistry;
  readonly #latest = new WeakMap<
    WatchedPool,
    { readonly at: number; readonly result: Promise<PingResult> }
  >();

  constructor(registry: PoolRegistry) {
    this.#registry = registry;
  }

  /**
   * One answer serves all who ask within `cacheMillis`, and while it is under way.
   *
   * @returns Undefined where no pool of this name is watched
   */
  async ping(pool: string, timeoutMillis: number, cacheMillis: number): Promise<PingResult | undefined> {
    const watched = this.#registry.get(pool);
    if (!watched) return undefined;
    const latest = this.#latest.get(watched);
    if (latest && performance.now() - latest.at < cacheMillis) return latest.result;
    const result = ask(watched, timeoutMillis);
    // Until it is there it counts as just asked: nobody asks a second time beside it.
    this.#latest.set(watched, { at: Number.POSITIVE_INFINITY, result });
    void result.then(() => this.#latest.set(watched, { at: performance.now(), result }));
    return result;
  }
}

async function ask({ target }: WatchedPool, timeoutMillis: number): Promise<PingResult> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    await withOwnConnection(target, timeoutMillis, (server) => server.query("SELECT 1::text"));
    return { isReachable: true, seconds: seconds() };
  } catch (error) {
    const code = errorCode(error);
    return { isReachable: false, seconds: seconds(), ...(code && { code }) };
  }
}
