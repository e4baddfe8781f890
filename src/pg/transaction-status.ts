import type { ClientInside } from "./pool-inside.ts";

type Status = "I" | "T" | "E" | null | undefined;

/** Whether a client is in a transaction, open or failed. */
export interface TransactionStatus {
  readonly isInTransaction: boolean;
  stop(): void;
}

/** Clients know their status since pg 8.21; of others the server's last word is recorded. */
export function watchTransaction(client: ClientInside): TransactionStatus {
  let last: Status;
  const onReady = (message?: { status?: Status }): void => {
    last = message?.status;
  };
  const isKnown = typeof client.getTransactionStatus === "function";
  // Before the client itself: what it does with a message may end in a release.
  if (!isKnown) client.connection?.prependListener?.("readyForQuery", onReady);
  return {
    get isInTransaction() {
      try {
        const status = isKnown ? client.getTransactionStatus?.() : last;
        return status === "T" || status === "E";
      } catch {
        // pg.native passes the question on to a binding that may not know it.
        return false;
      }
    },
    stop: () => void client.connection?.removeListener?.("readyForQuery", onReady),
  };
}
