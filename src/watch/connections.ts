import type { Recorder } from "../metrics/histogram.ts";
import type { PoolQueries } from "../queries/pool-queries.ts";
import { type CloseReason, closeReasonAtRelease, decidedReason } from "./close-reason.ts";
import { Connection } from "./connection.ts";
import { Hold } from "./hold.ts";
import type { HookablePool, PgClient } from "./pg-types.ts";

/** A connection handed out. */
export type HeldConnection = Connection & { readonly hold: Hold };

/**
 * The open connections of one pool: who holds which, and why those that are gone were closed. Every connection that
 * was ever here is open, or counted under one reason: nothing is missing and nothing is counted twice.
 */
export class Connections {
  readonly #closes: Map<CloseReason, number>;
  readonly #pool: HookablePool;
  readonly #reuse: Recorder;
  readonly #queries: PoolQueries | undefined;
  readonly #used: ((connection: Connection) => void) | undefined;
  readonly #open = new Map<PgClient, Connection>();
  /** Asked for last: mostly it is asked for again, and a look into the map costs 30 ns. */
  #last: Connection | undefined;

  /**
   * @param isDialing Clients of a pool already at work that are no connections yet.
   * @param used Called before each `query` of a connection; undefined where that is of no interest
   */
  constructor(
    pool: HookablePool,
    closes: Map<CloseReason, number>,
    reuse: Recorder,
    queries: PoolQueries | undefined,
    isDialing: (client: PgClient) => boolean,
    used: ((connection: Connection) => void) | undefined,
  ) {
    this.#pool = pool;
    this.#closes = closes;
    this.#reuse = reuse;
    this.#queries = queries;
    this.#used = used;
    const idle = new Set(pool._idle?.map(({ client }) => client));
    for (const client of pool._clients ?? []) {
      if (isDialing(client)) continue;
      const connection = this.#add(client, false);
      if (pool._idle && !idle.has(client)) connection.hold = Hold.fromBefore();
    }
  }

  opened(client: PgClient): Connection {
    return this.#add(client, true);
  }

  get(client: PgClient): Connection | undefined {
    if (this.#last?.client !== client) this.#last = this.#open.get(client);
    return this.#last;
  }

  /** The connection of a hold that is not over. */
  of(hold: Hold): HeldConnection | undefined {
    for (const connection of this.held()) if (connection.hold === hold) return connection;
    return undefined;
  }

  /** The connections handed out. */
  *held(): Generator<HeldConnection> {
    for (const connection of this.#open.values()) {
      if (connection.hold) yield connection as HeldConnection;
    }
  }

  /** pg-pool is about to take a client back, or to close it. `hold` is what it was held under. */
  released(connection: Connection, error: unknown, hold: Hold | undefined): void {
    const reason = closeReasonAtRelease(this.#pool, connection, error, hold);
    if (reason) this.#close(connection, reason);
  }

  /** An idle connection broke. */
  lost(client: PgClient): void {
    const connection = this.#open.get(client);
    if (connection) this.#close(connection, "connection_lost");
  }

  /** pg-pool says goodbye to a client. Late: counted already, unless the pool does not show its clients. */
  removed(client: PgClient): void {
    const connection = this.#open.get(client);
    if (!connection) return;
    // Before pg-pool 3.8 it said goodbye to a broken client before it told that it broke.
    const isLost = connection.client._queryable === false;
    this.#close(connection, isLost ? "connection_lost" : this.#pool.ending ? "pool_end" : "idle");
  }

  /** What left the pool without an event: idle connections whose time is up, or whose pool ends. */
  sweep(): void {
    const clients = this.#pool._clients;
    if (!clients) return;
    for (const client of this.#open.keys()) if (!clients.includes(client)) this.removed(client);
  }

  get clients(): Iterable<PgClient> {
    return this.#open.keys();
  }

  forgetAll(): void {
    for (const connection of this.#open.values()) connection.forget();
    this.#open.clear();
    this.#last = undefined;
  }

  #add(client: PgClient, isNew: boolean): Connection {
    this.#open.get(client)?.forget();
    const connection = new Connection(client, this.#queries?.follow(client), isNew, this.#used);
    this.#open.set(client, connection);
    this.#last = connection;
    return connection;
  }

  #close(connection: Connection, seen: CloseReason): void {
    const reason = decidedReason(connection.client) ?? seen;
    this.#open.delete(connection.client);
    this.#last = undefined;
    connection.forget();
    this.#closes.set(reason, (this.#closes.get(reason) ?? 0) + 1);
    this.#reuse.record(connection.checkouts);
  }
}
