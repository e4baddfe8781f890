import type { ClientInside } from "../pg/pool-inside.ts";
import { type SessionDefaults, type SessionState, watchSession } from "../pg/session-state.ts";
import { type ServerError, sessionFault } from "../pg/sql-states.ts";
import { type TransactionStatus, watchTransaction } from "../pg/transaction-status.ts";
import type { CallSite } from "../watch/call-site.ts";

/** What recycling remembers of one connection. Times are of the monotonic clock. */
export class Session {
  /** When the connection last proved well: it was opened, given back, or it answered a ping. NaN until it is open. */
  aliveAt: number = Number.NaN;
  /** When its lifetime is over. */
  diesAt: number = Number.POSITIVE_INFINITY;
  /** Held by `pool.query`, which releases it with the statement's error, if any. */
  isOfQuery = false;
  /** Where the statement of `pool.query` that begins a transaction was sent. */
  querySite: CallSite | undefined;
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
  readonly #transaction: TransactionStatus;
  readonly #evictReadOnly: boolean;

  constructor(client: ClientInside, evictReadOnly: boolean, defaults: SessionDefaults) {
    this.#client = client;
    this.#evictReadOnly = evictReadOnly;
    this.#state = watchSession(client, defaults);
    // Before the client itself: what it does with a message may end in a release.
    client.connection?.prependListener?.("errorMessage", this.#onErrorMessage);
    this.#transaction = watchTransaction(client);
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

  /** A caller has had it before, seen from the beginning. */
  get isKnown(): boolean {
    return !this.#isNew;
  }

  /** A caller gives it back. One that was not seen may have done anything. */
  givenBack(): void {
    this.#isNew = false;
    this.aliveAt = performance.now();
  }

  /** The connection is handed out: what is sent from now on counts. Hooks and listeners prepare every new one alike. */
  handedOut(isOfQuery: boolean, querySite: CallSite | undefined): void {
    this.isOfQuery = isOfQuery;
    this.querySite = querySite;
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#state.start();
  }

  /** The next holder must not have it. What this one has set is kept, as pg-pool does: the next may count on it. */
  get isLost(): boolean {
    return this.mustClose || this.isEnding || (this.isAtFault && !this.#state.hasSettings);
  }

  get isInTransaction(): boolean {
    return this.#transaction.isInTransaction;
  }

  forget(): void {
    this.#state.stop();
    this.#client.connection?.removeListener?.("errorMessage", this.#onErrorMessage);
    this.#transaction.stop();
  }

  /** Whether or not the application passes the error on when it releases the client. */
  readonly #onErrorMessage = (message?: ServerError): void => {
    const fault = message && sessionFault(message);
    if (fault === "ends") this.isEnding = true;
    else if (fault === "lost") this.mustClose = true;
    else if (fault && (fault !== "read-only" || this.#evictReadOnly)) this.isAtFault = true;
  };
}
