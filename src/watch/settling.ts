import type { Settle } from "./hooks.ts";
import type { ConnectCallback, HookablePool, PgClient } from "./pg-types.ts";

/** Tells the outcome before the application's callback hears of it. */
export function settlingCallback(callback: ConnectCallback, settle: Settle): ConnectCallback {
  return function (this: unknown, ...args) {
    settle(args[0], args[1]);
    return Reflect.apply(callback, this, args);
  };
}

/**
 * pg-pool makes the promise of `connect()` with `new this.Promise(executor)`. For the length of that one synchronous
 * call the constructor is replaced by one that tells us when the promise is settled, and returns a plain promise.
 * Chaining `.then()` to the result instead would mark the application's rejections as handled.
 *
 * The replacement is made once for each pool: a new function for each call costs a microsecond more.
 */
export function settlingPromises(pool: HookablePool): <T>(settle: Settle, call: () => T) => T {
  let RealPromise = pool.Promise;
  let settleNext: Settle = () => {};

  function SettlingPromise(executor: Executor): Promise<unknown> {
    const settle = settleNext;
    return new RealPromise((resolve, reject) => {
      executor(
        (client) => {
          settle(undefined, client as PgClient);
          resolve(client);
        },
        (error) => {
          settle(error);
          reject(error);
        },
      );
    });
  }

  return (settle, call) => {
    RealPromise = pool.Promise;
    settleNext = settle;
    pool.Promise = SettlingPromise as unknown as PromiseConstructor;
    try {
      return call();
    } finally {
      pool.Promise = RealPromise;
    }
  };
}

type Executor = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;
