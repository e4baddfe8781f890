import { AsyncResource } from "node:async_hooks";
import type { ClientInside, PendingItem } from "../pg/pool-inside.ts";
import type { ConnectCallback, PgClient } from "../watch/pg-types.ts";

type Settle = (error: unknown, client?: PgClient, release?: unknown) => void;

/**
 * One caller of `connect` whom pg-pool did not answer at once: it waits for a ping, at the gate, or for another attempt.
 * It is settled once; a client that comes later goes back to the pool.
 */
export class Ticket {
  /** When the caller asked, by the monotonic clock: all its deadlines count from here. */
  readonly asked: number;
  /** Asked by `pool.query`. */
  readonly isQuery: boolean;
  /** Error of the caller's own last attempt. Undefined: none has failed. */
  error: unknown;
  /** The caller's place in pg-pool's queue during an attempt. Undefined: pg-pool dials, or none is under way. */
  item: PendingItem | undefined;
  isPinging = false;
  pings = 0;
  isSettled = false;
  readonly #settle: Settle;

  constructor(asked: number, isQuery: boolean, settle: Settle) {
    this.asked = asked;
    this.isQuery = isQuery;
    this.#settle = settle;
  }

  /** With pg-pool's arguments, in the caller's asynchronous context, and never on the stack of recycling or of pg's parser. */
  static ofCallback(asked: number, isQuery: boolean, callback: ConnectCallback): Ticket {
    const bound = AsyncResource.bind(callback as (...args: unknown[]) => void);
    return new Ticket(asked, isQuery, (...args) => {
      const client = args[1] as ClientInside | undefined;
      // Until then nobody else listens: a connection that breaks in between fails its first statement, not the process.
      client?.on("error", ignore);
      process.nextTick(() => {
        client?.removeListener("error", ignore);
        bound(...args);
      });
    });
  }

  settle(error: unknown, client?: PgClient, release?: unknown): void {
    if (this.isSettled) return;
    this.isSettled = true;
    if (error) this.#settle(error, undefined, () => {});
    else this.#settle(undefined, client, release);
  }
}

function ignore(): void {}
