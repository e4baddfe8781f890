import type { PgClient } from "../watch/pg-types.ts";
import { type Executor, reasonOf } from "../watch/settling.ts";
import { returnedRows } from "./returned-rows.ts";
import type { RunningQuery } from "./running-query.ts";

export interface QueryingClient extends PgClient {
  query(...args: unknown[]): unknown;
  /** The constructor pg makes promises with. Public as the option `Promise`. */
  _Promise: PromiseConstructor;
}

/** Replaces what a client makes the promise of its next query with, in the way of `settlingPromises`. */
export function queryPromises(client: QueryingClient): (running: RunningQuery) => PromiseConstructor {
  let Real = client._Promise;
  let asked: RunningQuery;

  function SettlingPromise(executor: Executor): Promise<unknown> {
    const running = asked;
    return new Real((resolve, reject) => {
      executor(
        (result) => {
          running.over(undefined, returnedRows(result));
          resolve(result);
        },
        (error) => {
          running.over(reasonOf(error));
          reject(error);
        },
      );
    });
  }
  const Settling = SettlingPromise as unknown as PromiseConstructor;

  return function replace(running) {
    const Before = client._Promise;
    if (Before !== Settling) Real = Before;
    asked = running;
    client._Promise = Settling;
    return Before;
  };
}
