import { type CloseReason, decide } from "../watch/close-reason.ts";
import type { PgClient } from "../watch/pg-types.ts";
import { type RecycleCounts, recycleCounts } from "../watch/recycled-pools.ts";
import { ClientRecord } from "./client-record.ts";
import { type ClientInside, destroySocket, isIdle, type PoolInside, remove } from "./inside.ts";
import { lifetimeMillis } from "./lifetime.ts";
import type { RecycleSettings } from "./recycle-settings.ts";

/** What the parts of recycling share about one pool. */
export class Recycler {
  readonly pool: PoolInside;
  readonly settings: RecycleSettings;
  readonly counts: RecycleCounts;
  /** Off: everything that is still hooked lets through. */
  isActive = true;
  /** A connection was opened once: the address, the user and the password are right. */
  hasConnected: boolean;
  lastConnectError: object | undefined;
  /** `connect` is being called: who gets to pg-pool now has just arrived. */
  isArriving = false;

  readonly #records = new WeakMap<PgClient, ClientRecord>();
  #pingFailuresInRow = 0;
  #hasFaulted = false;

  constructor(pool: PoolInside, settings: RecycleSettings) {
    this.pool = pool;
    this.settings = settings;
    this.counts = recycleCounts(pool);
    this.hasConnected = pool._clients.some(
      (client) => (client as { _connected?: boolean })._connected !== false,
    );
    // A connection from before is as old as its recycling, and has to prove well before it is handed out.
    for (const client of pool._clients) this.#remember(client, Number.NEGATIVE_INFINITY);
  }

  recordOf(client: PgClient): ClientRecord {
    return this.#records.get(client) ?? this.opened(client);
  }

  opened(client: PgClient): ClientRecord {
    return this.#remember(client, performance.now());
  }

  #remember(client: PgClient, aliveAt: number): ClientRecord {
    const { maxLifetimeSeconds, lifetimeJitter, evictReadOnly } = this.settings;
    const diesAt = performance.now() + lifetimeMillis(maxLifetimeSeconds, lifetimeJitter);
    const record = new ClientRecord(client as ClientInside, aliveAt, diesAt, (sqlState) =>
      isFatal(sqlState, evictReadOnly),
    );
    this.#records.set(client, record);
    return record;
  }

  /** Closes a client nobody holds, without a goodbye where nobody may be left to hear it. */
  discard(client: ClientInside, reason: CloseReason, how: "goodbye" | "at once"): void {
    if (!this.pool._clients.includes(client)) return;
    decide(client, reason);
    remove(this.pool, client);
    if (how === "at once") destroySocket(client);
  }

  pingAnswered(): void {
    this.#pingFailuresInRow = 0;
  }

  /** One dead connection may be an accident; several in a row are a server that was restarted. */
  pingFailed(): void {
    this.counts.pingFailures++;
    this.#pingFailuresInRow++;
    const { failuresToFlush } = this.settings;
    if (failuresToFlush === 0 || this.#pingFailuresInRow < failuresToFlush) return;
    this.#pingFailuresInRow = 0;
    for (const { client } of [...this.pool._idle]) {
      // Closing one may have another handed out.
      if (isIdle(this.pool, client)) this.discard(client as ClientInside, "flushed", "at once");
    }
  }

  /** A mistake of ours must not reach the application. */
  faulted(fault: unknown): void {
    if (this.#hasFaulted) return;
    this.#hasFaulted = true;
    const reason = fault instanceof Error ? fault.message : String(fault);
    this.settings.logger.error(`poolscope - recycling made a mistake and left a connection alone: ${reason}`);
  }

  forgetAll(): void {
    for (const client of this.pool._clients) this.#records.get(client)?.forget();
  }
}

/**
 * After these SQLSTATEs nobody should have the connection: class 08, and 57P01 to 57P03, after which the server closes
 * it. 25006, read-only transaction, is what the old primary says after a failover, but also what an application hears
 * that writes in a READ ONLY transaction.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isFatal(sqlState: unknown, evictReadOnly: boolean): boolean {
  if (typeof sqlState !== "string") return false;
  return /^(08...|57P0[123])$/.test(sqlState) || (evictReadOnly && sqlState === "25006");
}
