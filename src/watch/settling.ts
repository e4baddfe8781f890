import type { ConnectCallback, PgClient } from "./pg-types.ts";

/** Hears how it ended: an error, or the value. Must not throw. */
export type Settled = (error: unknown, value?: unknown) => void;

/** Tells the outcome before the application's callback hears of it. */
export function settlingCallback(
  callback: ConnectCallback,
  settle: (error: unknown, client?: PgClient) => void,
): ConnectCallback {
  return function (this: unknown, ...args) {
    settle(args[0], args[1]);
    return Reflect.apply(callback, this, args);
  };
}

/**
 * pg makes the promises of `pool.connect()` and `client.query()` with `new this.Promise(executor)`. For the length of
 * that one synchronous call the constructor is replaced by one that tells us when the promise is settled, and returns a
 * plain promise. Chaining `.then()` to the result instead would mark the application's rejections as handled.
 *
 * The replacement is made once for each object: a new function for each call costs a microsecond more.
 *
 * @param key The property that holds the constructor
 */
export function settlingPromises<K extends string>(
  object: Record<K, PromiseConstructor>,
  key: K,
): <T>(settle: Settled, call: () => T) => T {
  let RealPromise = object[key];
  let settleNext: Settled = () => {};

  function SettlingPromise(executor: Executor): Promise<unknown> {
    const settle = settleNext;
    return new RealPromise((resolve, reject) => {
      executor(
        (value) => {
          settle(undefined, value);
          resolve(value);
        },
        (error) => {
          // An application may throw anything; nothing at all is still a failure.
          settle(error ?? new Error("rejected without a reason"));
          reject(error);
        },
      );
    });
  }

  return (settle, call) => {
    const Before = object[key];
    if (Before !== (SettlingPromise as unknown)) RealPromise = Before;
    settleNext = settle;
    object[key] = SettlingPromise as unknown as PromiseConstructor;
    try {
      return call();
    } finally {
      object[key] = Before;
    }
  };
}

type Executor = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;
