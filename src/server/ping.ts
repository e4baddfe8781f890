import { errorCode, errorMessage } from "../error-type.ts";
import type { PoolRegistry } from "../watch/registry.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { withOwnConnection } from "./own-connection.ts";
import { PoolerBusy } from "./pooler.ts";

/** What asking a server came to. */
export interface PingResult {
  readonly isReachable: boolean;
  /** The server, or the connection pooler before it, answers and has no connection left for the ping. */
  readonly isFull: boolean;
  /** From the dial to the answer. */
  readonly seconds: number;
  /** SQLSTATE or Node's error code of the failure, where it has one. Never a message: that may name hosts and users. */
  readonly code?: string;
}

interface Ping {
  /** When it was answered. */
  at: number;
  readonly result: Promise<PingResult>;
}

/** Asks the servers of watched pools, each over a short-lived connection of its own. Never rejects. */
export class Pings {
  readonly #registry: PoolRegistry;
  readonly #latest = new WeakMap<WatchedPool, Ping>();

  constructor(registry: PoolRegistry) {
    this.#registry = registry;
  }

  /**
   * One answer serves all calls within `cacheMillis`, and while it is under way.
   *
   * @returns Undefined where no pool of this name is watched
   */
  async ping(pool: string, timeoutMillis: number, cacheMillis: number): Promise<PingResult | undefined> {
    const watched = this.#registry.get(pool);
    if (!watched) return undefined;
    const latest = this.#latest.get(watched);
    if (latest && performance.now() - latest.at < cacheMillis) return latest.result;
    const result = ask(watched, timeoutMillis).finally(() => {
      ping.at = performance.now();
    });
    // Until the answer is there it counts as just asked, so that no second ping runs beside it.
    const ping: Ping = { at: Number.POSITIVE_INFINITY, result };
    this.#latest.set(watched, ping);
    return result;
  }
}

async function ask({ target }: WatchedPool, timeoutMillis: number): Promise<PingResult> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    await withOwnConnection(target, timeoutMillis, (server) => server.query("SELECT 1::text"));
    return { isReachable: true, isFull: false, seconds: seconds() };
  } catch (error) {
    const code = errorCode(error);
    return {
      isReachable: false,
      isFull: isRefusedForWantOfRoom(error),
      seconds: seconds(),
      ...(code && { code }),
    };
  }
}

/** PgBouncer 1.18 refuses with 08P01, as it refuses much else; the other two messages are of Supavisor. */
function isRefusedForWantOfRoom(error: unknown): boolean {
  if (error instanceof PoolerBusy || errorCode(error) === "53300") return true;
  return /^(no more connections allowed|Max client connections reached|MaxClientsInSessionMode)/.test(
    errorMessage(error) ?? "",
  );
}
