import { EventEmitter } from "node:events";
import type { Alert } from "./alerts/alert.ts";
import { detach } from "./detached.ts";
import type { Logger } from "./logger.ts";

/** A connection that was handed out, as events tell of it. What is not known is absent. */
export interface HeldConnection {
  /** The pool's name. */
  readonly pool: string;
  readonly heldSeconds: number;
  /** Where it was asked for, like `src/reports.ts:41:23`. */
  readonly site?: string;
  /** The application's frames, innermost first. */
  readonly stack: readonly string[];
  /** The verb of the statement finished last, like `SELECT`, never its text; where queries are measured. */
  readonly lastVerb?: string;
  /** The backend's process id, `pid` of `pg_stat_activity`. */
  readonly processId?: number;
}

/** A caller asked for a second connection of a pool while it held one. */
export interface NestedCheckout {
  readonly pool: string;
  /** Where the connection it holds was asked for. */
  readonly outerSite?: string;
  readonly outerStack: readonly string[];
  /** Where it asks for another; absent for `pool.query`. */
  readonly innerSite?: string;
  readonly innerStack: readonly string[];
}

/** A query that took longer than `slowQueryMillis`. What is not known is absent. */
export interface SlowQuery {
  readonly pool: string;
  readonly seconds: number;
  /** How long the caller had waited for the connection it ran on. */
  readonly waitSeconds?: number;
  /** Rows that came back. */
  readonly rows?: number;
  /** The verb, like `SELECT`. */
  readonly operation?: string;
  /** The name given by `queryName`. */
  readonly summary?: string;
  /** Why it failed, if it did: a SQLSTATE, a Node error code, `query_timeout`, `connection_lost` or an error class. */
  readonly errorType?: string;
  /** One line of at most 500 characters, every literal and parameter replaced by `?`, comments dropped. */
  readonly sql: string;
  /** The same for the same SQL in every process and release. */
  readonly fingerprint: string;
  /** Where the connection was asked for, like `src/reports.ts:41:23`; known for `pool.connect()`. */
  readonly site?: string;
}

/** The events of a scope and what they carry. */
export interface PoolscopeEvents {
  /** A connection has been held, and not used, for longer than `leakAfterMillis`. Once for each. */
  leak: HeldConnection;
  /** A connection reported as a leak was returned after all. */
  leakReturned: HeldConnection;
  /** A connection was released inside a transaction. */
  releasedInTransaction: HeldConnection;
  /** Once for each pair of places in the application's code. */
  nestedCheckout: NestedCheckout;
  /** A query took longer than `slowQueryMillis`. Every one, also those that have no line in the log. */
  slowQuery: SlowQuery;
  /** A rule of `alerts` fires for a pool. */
  alert: Alert;
  /** What had fired is over. Once for each `alert`. */
  alertResolved: Alert;
}

export const EVENT_NAMES: readonly (keyof PoolscopeEvents)[] = [
  "leak",
  "leakReturned",
  "releasedInTransaction",
  "nestedCheckout",
  "slowQuery",
  "alert",
  "alertResolved",
];

/** Calls listeners, and keeps what they throw or reject with away from everything else. */
export class Events {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @returns Takes the listener away again. */
  on<E extends keyof PoolscopeEvents>(event: E, listener: (data: PoolscopeEvents[E]) => void): () => void {
    const guarded = (data: PoolscopeEvents[E]) => {
      detach(
        () => listener(data),
        (error) => {
          const reason = error instanceof Error ? error.message : String(error);
          this.#logger.error(`poolscope - a listener of "${event}" threw: ${reason}`);
        },
      );
    };
    this.#emitter.on(event, guarded);
    return () => {
      this.#emitter.off(event, guarded);
    };
  }

  emit<E extends keyof PoolscopeEvents>(event: E, data: PoolscopeEvents[E]): void {
    this.#emitter.emit(event, Object.freeze(data));
  }
}
