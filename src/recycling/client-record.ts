import type { Outcome } from "./exchange.ts";
import type { ClientInside } from "./inside.ts";

type Status = "I" | "T" | "E" | null | undefined;

/** What recycling knows of one client. Times are of the monotonic clock. */
export class ClientRecord {
  /** When it last proved well: it was opened, given back or it answered a ping. */
  aliveAt: number;
  /** When its lifetime is over. */
  readonly diesAt: number;
  /** Held by `pool.query`, which releases it with the statement's error, if any. */
  isOfQuery = false;
  /** The server said something after which nobody should have this client. */
  isCondemned = false;
  /** Those who wait for the ping under way; undefined while there is none. */
  pingWaiters: ((outcome: Outcome) => void)[] | undefined;

  readonly #client: ClientInside;
  readonly #isFatal: (sqlState: unknown) => boolean;
  /** Kept for clients that do not tell. */
  #lastStatus: Status;

  constructor(
    client: ClientInside,
    aliveAt: number,
    diesAt: number,
    isFatal: (sqlState: unknown) => boolean,
  ) {
    this.#client = client;
    this.aliveAt = aliveAt;
    this.diesAt = diesAt;
    this.#isFatal = isFatal;
    // Before the client itself: what it does with a message may end in a release.
    client.connection?.prependListener?.("errorMessage", this.#onErrorMessage);
    // Clients tell their transaction status since pg 8.21.
    if (typeof client.getTransactionStatus !== "function") {
      client.connection?.prependListener?.("readyForQuery", this.#onReady);
    }
  }

  get isInTransaction(): boolean {
    const status = this.#status();
    return status === "T" || status === "E";
  }

  forget(): void {
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

  /** Whatever the application makes of the error, and whether it says so when it releases the client. */
  readonly #onErrorMessage = (message?: { code?: unknown }): void => {
    if (this.#isFatal(message?.code)) this.isCondemned = true;
  };

  readonly #onReady = (message?: { status?: Status }): void => {
    this.#lastStatus = message?.status;
  };
}
