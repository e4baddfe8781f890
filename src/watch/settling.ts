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
 * pg makes the promises of `pool.connect()` and `client.query()` with `new this.Promise(executor)`. For the length of
 * that one synchronous call the constructor is replaced by one that tells us when the promise is settled, and returns a
 * plain promise. Chaining `.then()` to the result instead would mark the application's rejections as handled.
 *
 * The replacement is made once for each object: a new function for each call costs a microsecond more.
 */
export class SettlingPromises<About, K extends string> {
  readonly #object: Record<K, PromiseConstructor>;
  readonly #key: K;
  readonly #Settling: PromiseConstructor;
  #Real: PromiseConstructor;
  #about: About | undefined;

  /** @param key The property that holds the constructor */
  constructor(object: Record<K, PromiseConstructor>, key: K, settled: Settled<About>) {
    this.#object = object;
    this.#key = key;
    this.#Real = object[key];
    const make = (executor: Executor) => this.#make(executor, settled);
    this.#Settling = function SettlingPromise(executor: Executor) {
      return make(executor);
    } as unknown as PromiseConstructor;
  }

  /** Calls the method of the object, and tells how the promise that it makes ends. */
  call(about: About, method: (...args: never[]) => unknown, args: ArrayLike<unknown>): unknown {
    const Before = this.#object[this.#key];
    if (Before !== this.#Settling) this.#Real = Before;
    this.#about = about;
    this.#object[this.#key] = this.#Settling;
    try {
      return Reflect.apply(method, this.#object, args);
    } finally {
      this.#object[this.#key] = Before;
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
