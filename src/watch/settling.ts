import type { ConnectCallback, HookablePool, PgClient } from "./pg-types.ts";

/** Hears what became of the request it is `about`. */
interface SettlingObserver<About> {
  /** Must not throw. */
  settled(about: About, error: unknown, client?: PgClient): void;
  /** A promise that will settle was made. Must not throw. */
  promised?(): void;
}

/** Tells the outcome before the application's callback hears of it. */
export function settlingCallback<About>(
  callback: ConnectCallback,
  observer: SettlingObserver<About>,
  about: About,
): ConnectCallback {
  return function (this: unknown, ...args) {
    observer.settled(about, args[0], args[1]);
    return Reflect.apply(callback, this, args);
  };
}

/**
 * pg-pool makes the promise of `connect()` with `new this.Promise(executor)`. For the length of that one synchronous
 * call the constructor is replaced by one that tells us when the promise is settled, and returns a plain promise.
 * Chaining `.then()` to the result instead would mark the application's rejections as handled.
 *
 * The replacement is made once for each pool: a new function for each call costs a microsecond more. That of clients is
 * spelt out beside their queries, and the call itself stands at the caller: one function for both cannot be inlined, and
 * costs a checkout with its query 0.15 µs.
 *
 * @returns Replaces the constructor, for a promise that is `about` something. What it returns is to be put back as soon
 * as `connect` has returned.
 */
export function settlingPromises<About>(
  pool: HookablePool,
  observer: SettlingObserver<About>,
): (about: About) => PromiseConstructor {
  let Real = pool.Promise;
  let asked: About;

  function SettlingPromise(executor: Executor): Promise<unknown> {
    const about = asked;
    observer.promised?.();
    return new Real((resolve, reject) => {
      executor(
        (client) => {
          observer.settled(about, undefined, client as PgClient);
          resolve(client);
        },
        (error) => {
          observer.settled(about, reasonOf(error));
          reject(error);
        },
      );
    });
  }
  // `Promise.resolve` and the like, of a `connect` of the application's own.
  Object.setPrototypeOf(SettlingPromise, Real);
  const Settling = SettlingPromise as unknown as PromiseConstructor;

  return function replace(about) {
    const Before = pool.Promise;
    if (Before !== Settling) Real = Before;
    asked = about;
    pool.Promise = Settling;
    return Before;
  };
}

/**
 * Reports the outcome of a promise that was made elsewhere, by returning another one: one to which only a report is
 * chained would no longer count as unhandled when it is rejected and the application does not look.
 */
export function settlingResult<About>(
  result: unknown,
  observer: SettlingObserver<About>,
  about: About,
): unknown {
  if (!(result instanceof Promise)) return result;
  return new Promise((resolve, reject) => {
    result.then(
      (client) => {
        observer.settled(about, undefined, client as PgClient);
        resolve(client);
      },
      (error: unknown) => {
        observer.settled(about, reasonOf(error));
        reject(error);
      },
    );
  });
}

export type Executor = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;

/** An application may throw anything; nothing at all is still a failure. */
export function reasonOf(rejection: unknown): unknown {
  return rejection ?? new Error("rejected without a reason");
}
