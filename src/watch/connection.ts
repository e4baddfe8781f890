import type { CallSite } from "./call-site.ts";
import type { CallerTask } from "./callers.ts";
import type { HookableClient, PgClient } from "./pg-types.ts";

/** A connection in somebody's hands. */
export interface Hold {
  /** `performance.now()` when it was handed out; when the watch began for holds older than that. */
  readonly since: number;
  /** How long the caller had waited for it; undefined for holds older than the watch. */
  readonly waitSeconds: number | undefined;
  /** Whether `since` is when it was handed out. */
  readonly isExact: boolean;
  /** By `connect()`, and so for the application to release; otherwise `pool.query` has it. */
  readonly isExplicit: boolean;
  readonly site: CallSite | undefined;
  /** Whose use it is; undefined: nobody is told. */
  readonly task: CallerTask | undefined;
  /** Reported as a leak. */
  isSuspected: boolean;
  isReleased: boolean;
}

/** What a holder does with its connection. */
export type Activity = "executing" | "idle_in_transaction" | "idle";

/** ReadyForQuery's status byte: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = "I" | "T" | "E";

/** One open connection of a watched pool. */
export class Connection {
  readonly client: HookableClient;
  checkouts = 0;
  hold: Hold | undefined;

  /** The command tag of the holder's last finished statement: "SELECT 3", "BEGIN". The server's words, not the query's. */
  #lastTag: string | undefined;
  /** Kept for clients that do not tell. */
  #lastStatus: TransactionStatus | undefined;
  readonly #onCommand = (message?: { text?: string }): void => {
    this.#lastTag = message?.text;
  };
  readonly #onReady = (message?: { status?: TransactionStatus }): void => {
    this.#lastStatus = message?.status;
  };

  /** @param isNew Just opened, and so in no transaction. */
  constructor(client: PgClient, isNew: boolean) {
    this.client = client as HookableClient;
    this.#lastStatus = isNew ? "I" : undefined;
    // Clients tell their transaction status since pg 8.21.
    if (typeof this.client.getTransactionStatus !== "function") {
      this.client.connection?.on?.("readyForQuery", this.#onReady);
    }
  }

  handedOut(hold: Hold): void {
    this.hold = hold;
    this.checkouts++;
    this.#lastTag = undefined;
    // Of interest only where the application holds it, and 0.4 µs on every statement of `pool.query`.
    if (hold.isExplicit) this.client.connection?.on?.("commandComplete", this.#onCommand);
  }

  returned(hold: Hold): void {
    this.hold = undefined;
    hold.isReleased = true;
    if (hold.isExplicit) this.client.connection?.removeListener?.("commandComplete", this.#onCommand);
  }

  /** Lets go of the client. */
  forget(): void {
    this.client.connection?.removeListener?.("commandComplete", this.#onCommand);
    this.client.connection?.removeListener?.("readyForQuery", this.#onReady);
  }

  get activity(): Activity {
    if (this.client.readyForQuery === false) return "executing";
    return this.isInTransaction ? "idle_in_transaction" : "idle";
  }

  get isInTransaction(): boolean {
    const status = this.transactionStatus;
    return status === "T" || status === "E";
  }

  /** Undefined where the client does not tell. */
  get transactionStatus(): TransactionStatus | undefined {
    const { client } = this;
    if (typeof client.getTransactionStatus !== "function") return this.#lastStatus;
    try {
      return client.getTransactionStatus() ?? undefined;
    } catch {
      // pg.native passes the question on to a binding that may not know it.
      return undefined;
    }
  }

  /** Like `SELECT`: of the statement finished last. */
  get lastVerb(): string | undefined {
    return /^[A-Z]+/.exec(this.#lastTag ?? "")?.[0];
  }

  get processId(): number | undefined {
    return this.client.processID ?? undefined;
  }
}
