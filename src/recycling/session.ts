import type { ClientInside } from "../pg/pool-inside.ts";
import { type SessionDefaults, type SessionState, watchSession } from "../pg/session-state.ts";

type Status = "I" | "T" | "E" | null | undefined;

/** What recycling remembers of one connection. Times are of the monotonic clock. */
export class Session {
  /** When the connection last proved well: it was opened, given back, or it answered a ping. NaN until it is open. */
  aliveAt: number = Number.NaN;
  /** When its lifetime is over. */
  diesAt: number = Number.POSITIVE_INFINITY;
  /** Held by `pool.query`, which releases it with the statement's error, if any. */
  isOfQuery = false;
  /** The open transaction was begun by `pool.query`: pg-pool leaves it to whom the connection goes next. */
  isTransactionOfQuery = false;
  /** The server reported an error after which this session must not be handed out again. */
  mustClose = false;
  /** The server reported an error that this session has with the next holder too. */
  isAtFault = false;
  /** The server reported an error after which it ends the connection itself. */
  isEnding = false;

  readonly #client: ClientInside;
  #isNew = true;
  readonly #state: SessionState;
  readonly #evictReadOnly: boolean;
  /** Recorded for clients that have no `getTransactionStatus`. */
  #lastStatus: Status;

  constructor(client: ClientInside, evictReadOnly: boolean, defaults: SessionDefaults) {
    this.#client = client;
    this.#evictReadOnly = evictReadOnly;
    this.#state = watchSession(client, defaults);
    // Before the client itself: what it does with a message may end in a release.
    client.connection?.prependListener?.("errorMessage", this.#onErrorMessage);
    // Clients know their transaction status since pg 8.21.
    if (typeof client.getTransactionStatus !== "function") {
      client.connection?.prependListener?.("readyForQuery", this.#onReady);
    }
  }

  /** The session carries what closing it would have cleared: settings, temporary tables, locks. */
  get hasState(): boolean {
    return this.#state.hasState;
  }

  get isOpen(): boolean {
    return !Number.isNaN(this.aliveAt);
  }

  opened(diesAt: number): void {
    this.aliveAt = performance.now();
    this.diesAt = diesAt;
  }

  /** It was open before the pool was recycled: it has to prove well first, and may carry any state. */
  isFromBefore(): void {
    this.aliveAt = Number.NEGATIVE_INFINITY;
    this.#isNew = false;
  }

  /** The connection is handed out: what is sent from now on counts. Hooks and listeners prepare every new one alike. */
  handedOut(isOfQuery: boolean): void {
    this.isOfQuery = isOfQuery;
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#state.start();
  }

  /** The next holder must not have it. What this one has set is kept, as pg-pool does: the next may count on it. */
  get isLost(): boolean {
    return this.mustClose || this.isEnding || (this.isAtFault && !this.hasSettings);
  }

  /** The same as {@link hasState}, but for prepared statements. */
  get hasSettings(): boolean {
    return this.#state.hasSettings;
  }

  get isInTransaction(): boolean {
    const status = this.#status();
    return status === "T" || status === "E";
  }

  forget(): void {
    this.#state.stop();
    this.#client.connection?.removeListener?.("errorMessage", this.#onErrorMessage);
    this.#client.connection?.removeListener?.("readyForQuery", this.#onReady);
  }

  #status(): Status {
    if (typeof this.#client.getTransactionStatus !== "function") return this.#lastStatus;
    try {
      return this.#client.getTransactionStatus();
    } catch {
      // pg.native passes the question on to a binding that may not know it.
      return undefined;
    }
  }

  /** Whether or not the application passes the error on when it releases the client. */
  readonly #onErrorMessage = (message?: ServerError): void => {
    const { code, severity, routine } = message ?? {};
    if (typeof code !== "string") return;
    if (LOST.test(code)) {
      if (severity === "FATAL" || severity === "PANIC") this.isEnding = true;
      else this.mustClose = true;
    } else if (code === "0A000") {
      // Of all that is not supported only the cached plan is the session's.
      if (routine === "RevalidateCachedQuery") this.isAtFault = true;
    } else if (AT_FAULT.has(code) && (code !== "25006" || this.#evictReadOnly)) this.isAtFault = true;
  };

  readonly #onReady = (message?: { status?: Status }): void => {
    this.#lastStatus = message?.status;
  };
}

interface ServerError {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly routine?: unknown;
}

/** Connection exceptions, shutdowns and time limits of the session: the server ends the connection after these. */
const LOST = /^(08...|57P0[1235]|25P0[34])$/;

/** The next holder would fail too: read-only after a failover, prepared statements that the session does not know, or has. */
const AT_FAULT: ReadonlySet<string> = new Set(["25006", "26000", "42P05"]);
