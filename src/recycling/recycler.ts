import {
  type ClientInside,
  destroySocket,
  isConnected,
  isIdle,
  type PoolInside,
  remove,
  serve,
} from "../pg/pool-inside.ts";
import { leftOpen } from "../pg/query-transaction.ts";
import type { SessionDefaults } from "../pg/session-state.ts";
import type { CallSite } from "../watch/call-site.ts";
import { type CloseReason, decide } from "../watch/close-reason.ts";
import { codeTimeout } from "../watch/coded-timeout.ts";
import { dialErrorType } from "../watch/dial-failure.ts";
import { override } from "../watch/override.ts";
import type { ConnectCallback, PgClient } from "../watch/pg-types.ts";
import { type RecycleCounts, recycleCounts } from "../watch/recycled-pools.ts";
import { Gate } from "./gate.ts";
import type { Lease, Lessor } from "./lease.ts";
import { lifetimeMillis } from "./lifetime.ts";
import { Session } from "./session.ts";
import type { RecycleSettings } from "./settings.ts";

type Hooked = "connect" | "query" | "end" | "newClient" | "_release" | "_remove";

/** What the parts of recycling share about one pool. */
export class Recycler implements Lessor {
  readonly pool: PoolInside;
  readonly settings: RecycleSettings;
  readonly counts: RecycleCounts;
  readonly gate: Gate;
  readonly leases: Set<Lease> = new Set();
  /** False once stopped: everything that is still hooked lets through. */
  isActive = true;
  /** A connection was opened once: the address, the user and the password are right. */
  hasConnected: boolean;
  lastConnectError: unknown = undefined;
  /** pg-pool's `connect` as it is beneath recycling. */
  connect: (callback: ConnectCallback) => unknown;

  readonly #defaults: SessionDefaults = { changes: 0 };
  readonly #sessions = new WeakMap<PgClient, Session>();
  #lastClient: PgClient | undefined;
  #lastSession: Session | undefined;
  #pingFailuresInRow = 0;
  #lastPingFailureAt = 0;
  readonly #logged = new Set<string>();

  constructor(pool: PoolInside, settings: RecycleSettings) {
    this.pool = pool;
    this.settings = settings;
    this.counts = recycleCounts(pool);
    this.gate = new Gate(this);
    this.connect = pool.connect;
    this.hasConnected = pool._clients.some(isConnected);
    // A connection from before is as old as its recycling.
    for (const client of pool._clients) if (isConnected(client)) this.session(client).isFromBefore();
  }

  /** Wraps a method of the pool, beneath every watch. */
  hook<K extends Hooked>(key: K, wrap: (original: PoolInside[K]) => PoolInside[K]): () => void {
    return override(this.pool as Record<K, PoolInside[K]> & PoolInside, key, wrap as never, "recycling");
  }

  /** Undefined: no caller has had the client, and its dial was not seen. */
  knownSession(client: PgClient): Session | undefined {
    if (this.#lastClient === client) return this.#lastSession;
    const session = this.#sessions.get(client);
    if (session) {
      this.#lastClient = client;
      this.#lastSession = session;
    }
    return session;
  }

  /** Of an open connection. */
  session(client: PgClient): Session {
    const session = this.knownSession(client) ?? this.dialed(client);
    if (!session.isOpen) this.opened(session);
    return session;
  }

  /** pg-pool has made a client, and is opening its connection. */
  dialed(client: PgClient): Session {
    const session = new Session(client as ClientInside, this.settings.evictReadOnly, this.#defaults);
    this.#sessions.set(client, session);
    return session;
  }

  /** The connection is open: the server is there. */
  opened(session: Session): void {
    const { maxLifetimeSeconds, lifetimeJitter } = this.settings;
    session.opened(performance.now() + lifetimeMillis(maxLifetimeSeconds, lifetimeJitter));
    this.hasConnected = true;
    this.lastConnectError = undefined;
    this.gate.open();
  }

  /** pg-pool gives a client to a caller. */
  handedOut(client: PgClient, isOfQuery: boolean, querySite?: CallSite): void {
    try {
      this.session(client).handedOut(isOfQuery, querySite);
    } catch (fault) {
      this.internalError(fault);
    }
  }

  /** How long a caller may wait for a connection, by the pool's own limit. */
  get patienceMillis(): number {
    return Number(this.pool.options.connectionTimeoutMillis) || Number.POSITIVE_INFINITY;
  }

  /** The same error; a timeout with a code and the pool's numbers. */
  coded(error: unknown): unknown {
    const { lastConnectError, settings } = this;
    if (settings.codedTimeouts) {
      codeTimeout(error, this.pool, lastConnectError ? dialErrorType(lastConnectError) : undefined);
    }
    return error;
  }

  /** Closes an idle client. */
  discard(client: PgClient, reason: CloseReason, how: "gracefully" | "at once"): void {
    if (!isIdle(this.pool, client)) return;
    decide(client, reason);
    remove(this.pool, client);
    if (how === "at once") destroySocket(client as ClientInside);
  }

  /** Capacity may have changed: pg-pool serves its queue, then the gate its callers. */
  serve(): void {
    try {
      serve(this.pool);
    } finally {
      this.gate.serve();
    }
  }

  /** Idle clients that are pinged. */
  get keptAlive(): number {
    if (this.leases.size === 0) return 0;
    return [...this.leases].filter(({ purpose }) => purpose === "keep-alive").length;
  }

  pingAnswered(): void {
    this.#pingFailuresInRow = 0;
  }

  /** One dead connection may be an accident; several in a row are a server that was restarted. */
  pingFailed(): void {
    const at = performance.now();
    const { failuresToFlush } = this.settings;
    if (at - this.#lastPingFailureAt > IN_A_ROW_MILLIS) this.#pingFailuresInRow = 0;
    this.#lastPingFailureAt = at;
    this.counts.pingFailures++;
    this.#pingFailuresInRow++;
    if (failuresToFlush === 0 || this.#pingFailuresInRow < failuresToFlush) return;
    this.#pingFailuresInRow = 0;
    for (const { client } of [...this.pool._idle]) this.discard(client, "flushed", "at once");
  }

  /** Logged by the watch, where there is one; once a place. */
  transactionLeftOpen(site: CallSite | undefined): void {
    const line = site && leftOpen(site.location);
    if (line && this.#isNews(line)) this.settings.logger.warn(`poolscope - ${line}`);
  }

  #isNews(what: string): boolean {
    if (this.#logged.has(what) || this.#logged.size >= MAX_LOGGED) return false;
    this.#logged.add(what);
    return true;
  }

  /** An error of recycling must not reach the application. */
  internalError(fault: unknown): void {
    if (!this.#isNews("internal error")) return;
    const reason = fault instanceof Error ? fault.message : String(fault);
    this.settings.logger.error(`poolscope - recycling made a mistake and left a connection alone: ${reason}`);
  }

  forgetAll(): void {
    for (const client of this.pool._clients) this.#sessions.get(client)?.forget();
  }
}

/** Failures of one day and of the next are no row. */
const IN_A_ROW_MILLIS = 60_000;
const MAX_LOGGED = 100;
