import { isBackendPid } from "../pg/backend-pid.ts";
import { isExecuting } from "../pg/executing.ts";
import type { ClientQueries } from "../queries/client-queries.ts";
import { endedBy, watchEnding } from "./ended-session.ts";
import type { Hold } from "./hold.ts";
import { override } from "./override.ts";
import type { HookableClient, PgClient } from "./pg-types.ts";

/** What a holder does with its connection. */
export type Activity = "executing" | "idle_in_transaction" | "idle" | "lost";

/** A cursor or stream, which says between two fetches that it is idle. */
interface ActiveQuery {
  readonly state?: unknown;
  readonly cursor?: { readonly state?: unknown };
}

/** ReadyForQuery's status byte: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = "I" | "T" | "E";

/** One open connection of a watched pool. */
export class Connection {
  readonly client: HookableClient;
  checkouts = 0;
  hold: Hold | undefined;

  /** Undefined: they are not measured. */
  readonly #queries: ClientQueries | undefined;
  /** Kept for clients that do not tell. */
  #lastStatus: TransactionStatus | undefined;
  readonly #onReady = (message?: { status?: TransactionStatus }): void => {
    this.#lastStatus = message?.status;
  };

  readonly #unhookUse: (() => void) | undefined;
  readonly #unwatchEnding: (() => void) | undefined;

  /**
   * @param isNew Just opened, and so in no transaction.
   * @param used Called before each `query` of the client; undefined where that is of no interest
   */
  constructor(
    client: PgClient,
    queries: ClientQueries | undefined,
    isNew: boolean,
    used?: (connection: Connection) => void,
  ) {
    this.client = client as HookableClient;
    this.#queries = queries;
    this.#lastStatus = isNew ? "I" : undefined;
    // Clients tell their transaction status since pg 8.21.
    if (typeof this.client.getTransactionStatus !== "function") {
      this.client.connection?.on?.("readyForQuery", this.#onReady);
    }
    this.#unhookUse = used && this.#hookUse(used);
    this.#unwatchEnding = watchEnding(client);
  }

  #hookUse(used: (connection: Connection) => void): (() => void) | undefined {
    const client = this.client as HookableClient & { query(...args: unknown[]): unknown };
    if (typeof client.query !== "function") return undefined;
    return override(client, "query", (original) => {
      const connection = this;
      return function query(this: unknown, ...args: unknown[]): unknown {
        used(connection);
        return Reflect.apply(original, this, args);
      };
    });
  }

  handedOut(hold: Hold): void {
    this.hold = hold;
    hold.connection = this;
    this.checkouts++;
  }

  returned(hold: Hold): void {
    this.hold = undefined;
    hold.connection = undefined;
    hold.isReleased = true;
  }

  /** Lets go of the client. */
  forget(): void {
    this.client.connection?.removeListener?.("readyForQuery", this.#onReady);
    this.#unhookUse?.();
    this.#unwatchEnding?.();
  }

  /**
   * Whether its holder is to be notified by the server, and so holds it for good: by the holder's own LISTEN, or by
   * listeners where statements are not measured.
   */
  isListening({ since, isExact }: Hold): boolean {
    if (this.#queries?.isListening(since)) return true;
    return (this.client.listenerCount?.("notification") ?? 0) > 0 && (!this.#queries || !isExact);
  }

  /** The connection is dead, whatever its holder does: the server has ended the session, or the socket is gone. */
  get isLost(): boolean {
    const { client } = this;
    return client._queryable === false || client._ending === true || this.endedBy !== undefined;
  }

  /** The SQLSTATE with which the server ended the session. */
  get endedBy(): string | undefined {
    return endedBy(this.client);
  }

  get activity(): Activity {
    if (this.isLost) return "lost";
    if (isExecuting(this.client) && !this.#isBetweenFetches) return "executing";
    return this.isInTransaction ? "idle_in_transaction" : "idle";
  }

  /** A cursor is open that nothing is fetched from: the server waits for the application. */
  get #isBetweenFetches(): boolean {
    const { client } = this;
    // Newer clients have it with an underscore, and warn when it is read without.
    const active = ("_activeQuery" in client ? client._activeQuery : client.activeQuery) as
      | ActiveQuery
      | null
      | undefined;
    return active?.state === "idle" || active?.cursor?.state === "idle";
  }

  /** Bytes that came and went over the socket; undefined where the client does not show it. */
  get wireBytes(): number | undefined {
    const { bytesRead, bytesWritten } = this.client.connection?.stream ?? {};
    return bytesRead === undefined || bytesWritten === undefined ? undefined : bytesRead + bytesWritten;
  }

  get isInTransaction(): boolean {
    const status = this.#shownStatus;
    // First what every release comes through.
    return (status === "T" || status === "E") && !this.isLost;
  }

  /** Undefined where the client has none to show, and when the connection is lost: its transaction was rolled back. */
  get transactionStatus(): TransactionStatus | undefined {
    return this.isLost ? undefined : this.#shownStatus;
  }

  get #shownStatus(): TransactionStatus | undefined {
    const { client } = this;
    if (typeof client.getTransactionStatus !== "function") return this.#lastStatus;
    try {
      return client.getTransactionStatus() ?? undefined;
    } catch {
      // pg.native passes the question on to a binding that may not know it.
      return undefined;
    }
  }

  /** Like `SELECT`: of the statement finished last in that hold. */
  lastVerb({ since }: Hold): string | undefined {
    return this.#queries?.lastVerb(since);
  }

  /** Undefined where the client does not know it, as behind most connection poolers. */
  get processId(): number | undefined {
    const { processID } = this.client;
    return isBackendPid(processID) ? processID : undefined;
  }
}
