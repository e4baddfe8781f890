import { AsyncLocalStorage } from "node:async_hooks";
import type { PoolRecorders } from "./watch-tools.ts";

/** Someone the use of pools is put down to: with `scope.routes()` an HTTP request. */
export interface Caller {
  /** The caller asks a pool for a connection, or a connection for a query. Must not throw. */
  starts(recorders: PoolRecorders): CallerTask;
}

/** One checkout or one query of a caller. Takes seconds. */
export interface CallerTask {
  /** The caller does not wait for it any more. */
  readonly isGone: boolean;
  /** The connection was handed out. */
  waited(seconds: number): void;
  /** The connection was released. */
  used(seconds: number): void;
  /** The query is over. */
  queried(seconds: number): void;
}

// biome-ignore lint/suspicious/noExplicitAny: a callback of any signature
type Callback = (...args: any[]) => unknown;

/**
 * Who the application's flows belong to, by AsyncLocalStorage. Until {@link turnOn} there is nobody, and asking costs
 * the look at one property.
 */
export class Callers {
  #storage: AsyncLocalStorage<Caller | undefined> | undefined;

  turnOn(): void {
    this.#storage ??= new AsyncLocalStorage();
  }

  /** Of the present flow. */
  current(): Caller | undefined {
    return this.#storage?.getStore();
  }

  run(caller: Caller, act: () => void): void {
    if (this.#storage) this.#storage.run(caller, act);
    else act();
  }

  /**
   * Keeps a callback with who gave it. A pool calls it from wherever a connection became free, a client from its
   * socket: from the flow of somebody else.
   */
  keep<F extends Callback>(callback: F): F {
    const storage = this.#storage;
    if (!storage) return callback;
    const caller = storage.getStore();
    return function (this: unknown, ...args: unknown[]): unknown {
      const before = storage.getStore();
      if (before === caller) return Reflect.apply(callback, this, args);
      // What `run` does, with fewer frames on the application's stacks.
      storage.enterWith(caller);
      try {
        return Reflect.apply(callback, this, args);
      } finally {
        storage.enterWith(before);
      }
    } as F;
  }

  /** Does what must not stay with the present caller: a socket opened for one serves many, and lives longer. */
  outside<T>(act: () => T): T {
    const storage = this.#storage;
    const caller = storage?.getStore();
    if (!storage || !caller) return act();
    storage.enterWith(undefined);
    try {
      return act();
    } finally {
      storage.enterWith(caller);
    }
  }
}
