import {
  addToIdle,
  type ClientInside,
  destroySocket,
  type IdleItem,
  type IdleListener,
  isBusy,
  type PoolInside,
  remove,
  takeIdle,
} from "../pg/pool-inside.ts";
import { ask } from "../pg/private-query.ts";
import { type CloseReason, decide, decidedReason } from "../watch/close-reason.ts";

/** How a step ended: as wished, refused by the server, not in time, or with the connection broken. */
export type Outcome = "done" | "refused" | "silent" | "broken";

/** What a lease is for: a ping before a checkout, a ping of an idle client, or what follows a release. */
export type Purpose = "checkout" | "keep-alive" | "release";

/** The pool that a lease belongs to. */
export interface Lessor {
  readonly pool: PoolInside;
  readonly leases: Set<Lease>;
  /** Capacity may have changed. */
  serve(): void;
  internalError(fault: unknown): void;
}

/**
 * A connection in the hands of recycling: neither idle nor held by a caller, and nobody else ends it. A lease takes steps,
 * each of which ends once, by whichever comes first: its answer, an error of the client, the end of the connection, its
 * time limit. The last step gives the client back or closes it, and then lets pg-pool serve its queue, whatever happened.
 */
export class Lease {
  readonly client: ClientInside;
  readonly purpose: Purpose;
  readonly #idleListener: IdleListener;
  readonly #lessor: Lessor;
  #step: ((outcome: Outcome) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(lessor: Lessor, client: ClientInside, idleListener: IdleListener, purpose: Purpose) {
    this.#lessor = lessor;
    this.client = client;
    this.#idleListener = idleListener;
    this.purpose = purpose;
    lessor.leases.add(this);
    client.on("error", this.#onError);
    client.on("end", this.#onEnd);
    client.removeListener("error", idleListener);
  }

  /** Of an idle client. */
  static ofIdle(lessor: Lessor, item: IdleItem, purpose: Purpose): Lease {
    takeIdle(lessor.pool, item);
    return new Lease(lessor, item.client as ClientInside, item.idleListener, purpose);
  }

  /** Waits for the time limit, or the end of the connection. */
  wait(limitMillis: number, next: (outcome: Outcome) => void): void {
    this.#step = next;
    this.#timer = setTimeout(() => this.#finish("silent"), limitMillis).unref();
  }

  /** Sends a statement of recycling. */
  ask(text: string, limitMillis: number, next: (outcome: Outcome) => void): void {
    this.wait(limitMillis, next);
    try {
      ask(this.client, text, (isRefused) => this.#finish(isRefused ? "refused" : "done"));
    } catch {
      this.#finish("refused");
    }
  }

  /** Waits until no statement is running or queued. */
  untilReady(limitMillis: number, next: (outcome: Outcome) => void): void {
    const { connection } = this.client;
    this.wait(limitMillis, next);
    if (!isBusy(this.client) || !connection?.on) {
      this.#finish("done");
      return;
    }
    // The client gets the message first, and may have sent its next statement by now.
    const onReady = () => {
      if (!isBusy(this.client)) this.#finish("done");
    };
    connection.on("readyForQuery", onReady);
    const step = this.#step;
    this.#step = (outcome) => {
      connection.removeListener?.("readyForQuery", onReady);
      step?.(outcome);
    };
  }

  /** The client is well: it becomes idle. */
  giveBack(then?: () => void): void {
    this.#end(then, () => {
      this.client.on("error", this.#idleListener);
      this.client.removeListener("error", this.#onError);
      if (this.#isOpen()) addToIdle(this.#lessor.pool, this.client, this.#idleListener);
    });
  }

  /** @param how Whether the server may be there to read the Terminate message. */
  close(reason: CloseReason, how: "gracefully" | "at once", then?: () => void): void {
    // The listener for errors stays: a dead connection may break more than once.
    this.#end(then, () => {
      if (!this.#isOpen()) return;
      if (!decidedReason(this.client)) decide(this.client, reason);
      remove(this.#lessor.pool, this.client);
      if (how === "at once") destroySocket(this.client);
    });
  }

  #isOpen(): boolean {
    return this.#lessor.pool._clients.includes(this.client);
  }

  /** In a turn of its own: answers arrive inside pg's parser, which must not see an exception. */
  #finish(outcome: Outcome): void {
    const step = this.#step;
    if (!step) return;
    this.#step = undefined;
    clearTimeout(this.#timer);
    process.nextTick(() => {
      if (this.#hasEnded) return;
      try {
        step(outcome);
      } catch (fault) {
        this.#lessor.internalError(fault);
        this.close("other", "at once");
      }
    });
  }

  #end(then: (() => void) | undefined, last: () => unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#step = undefined;
    clearTimeout(this.#timer);
    this.client.removeListener("end", this.#onEnd);
    this.#lessor.leases.delete(this);
    try {
      last();
      then?.();
    } finally {
      this.#lessor.serve();
    }
  }

  readonly #onError = (error: Error): void => {
    if (this.#hasEnded) return;
    if (this.purpose === "checkout") this.#finish("broken");
    // As of an idle client: pg-pool's own listener closes it and emits the pool's error.
    else this.#end(undefined, () => this.#isOpen() && this.#idleListener(error));
  };

  readonly #onEnd = (): void => this.#finish("broken");
}
