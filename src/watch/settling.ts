import type { ConnectCallback, PgClient } from "./pg-types.ts";

/** Hears how what it is `about` ended: with an error, or with the value. Must not throw. */
export type Settled<About> = (about: About, error: unknown, value?: unknown) => void;

/** Tells the outcome before the application's callback hears of it. */
export function settlingCallback<About>(
  callback: ConnectCallback,
  settled: (about: About, error: unknown, client?: PgClient) => void,
  about: About,
): ConnectCallback {
  return function (this: unknown, ...args) {
    settled(about, args[0], args[1]);
    return Reflect.apply(callback, this, args);
  };
}

/**
 * Where an object has the constructor of its promises. As two functions, which V8 makes a load and a store of: by the
 * property's name, which is not the same for all, each takes a hundred nanoseconds.
 */
export interface PromiseProperty<Holder> {
  read(holder: Holder): PromiseConstructor;
  write(holder: Holder, value: PromiseConstructor): void;
}

export const POOL_PROMISE: PromiseProperty<{ Promise: PromiseConstructor }> = {
  read: (pool) => pool.Promise,
  write: (pool, value) => {
    pool.Promise = value;
  },
};

/**
 * pg makes the promises of `pool.connect()` and `client.query()` with `new this.Promise(executor)`. For the length of
 * that one synchronous call the constructor is replaced by one that tells us when the promise is settled, and returns a
 * plain promise. Chaining `.then()` to the result instead would mark the application's rejections as handled.
 *
 * The replacement is made once for each object: a new function for each call costs a microsecond more.
 */
export class SettlingPromises<Holder extends object, About> {
  readonly #holder: Holder;
  readonly #property: PromiseProperty<Holder>;
  readonly #Settling: PromiseConstructor;
  #Real: PromiseConstructor;
  #about: About | undefined;

  constructor(holder: Holder, property: PromiseProperty<Holder>, settled: Settled<About>) {
    this.#holder = holder;
    this.#property = property;
    this.#Real = property.read(holder);
    const make = (executor: Executor) => this.#make(executor, settled);
    this.#Settling = function SettlingPromise(executor: Executor) {
      return make(executor);
    } as unknown as PromiseConstructor;
  }

  /** Calls the method of the object, and tells how the promise that it makes ends. */
  call(about: About, method: (...args: never[]) => unknown, args: ArrayLike<unknown>): unknown {
    const Before = this.#property.read(this.#holder);
    if (Before !== this.#Settling) this.#Real = Before;
    this.#about = about;
    this.#property.write(this.#holder, this.#Settling);
    try {
      return Reflect.apply(method, this.#holder, args);
    } finally {
      this.#property.write(this.#holder, Before);
    }
  }

  #make(executor: Executor, settled: Settled<About>): Promise<unknown> {
    const about = this.#about as About;
    return new this.#Real((resolve, reject) => {
      executor(
        (value) => {
          settled(about, undefined, value);
          resolve(value);
        },
        (error) => {
          // An application may throw anything; nothing at all is still a failure.
          settled(about, error ?? new Error("rejected without a reason"));
          reject(error);
        },
      );
    });
  }
}

type Executor = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;
