import type { Callers } from "../watch/callers.ts";
import { override } from "../watch/override.ts";
import type { PgClient } from "../watch/pg-types.ts";
import { settlingPromises } from "../watch/settling.ts";
import type { GivenQuery } from "./query-text.ts";
import { returnedRows } from "./returned-rows.ts";
import { followSubmittable, isSubmittable } from "./submittable.ts";

/** Hears of the queries of one client. Called in the middle of the application's work: must not throw. */
export interface QueryObserver {
  /** The application calls `client.query`. What it returns is called when the query is over. */
  queried(client: PgClient, query: GivenQuery): FinishQuery;
}

/**
 * Called once or more; only the first call counts. Must not throw.
 *
 * @param error Undefined or null: it went well
 * @param endedAt `performance.now()`; default: now
 */
export type FinishQuery = (error: unknown, rows?: number, endedAt?: number) => void;

interface QueryingClient extends PgClient {
  query(...args: unknown[]): unknown;
  /** The constructor pg makes promises with. Public as the option `Promise`. */
  _Promise: PromiseConstructor;
}

type QueryCallback = (this: unknown, error: unknown, result?: unknown) => unknown;

/**
 * Attaches an observer to one client's `query`, in whatever shape it is called: text or config, callback or promise, or
 * a Submittable. What the application sees stays the same: the same return value, the same promise with nothing
 * chained to it, the same stacks.
 *
 * @returns Puts the client back as it was. Queries under way are followed to their end.
 */
export function hookQueries(pgClient: PgClient, observer: QueryObserver, callers: Callers): () => void {
  const client = pgClient as QueryingClient;
  if (typeof client.query !== "function") return () => {};
  let active = true;
  const withSettlingPromise = settlingPromises(client, "_Promise");

  const unhook = override(client, "query", (original) => {
    return function query(this: QueryingClient, ...args: unknown[]): unknown {
      if (!active || this !== client) return Reflect.apply(original, this, args);
      const given = args[0] as GivenQuery;
      const finish = observer.queried(client, given);
      try {
        if (isSubmittable(given)) {
          followSubmittable(given, finish);
          return Reflect.apply(original, this, args);
        }
        const callback = callbackOf(args);
        if (callback !== undefined) {
          return queryWithCallback(client, original, args, callback, callers, finish);
        }
        return withSettlingPromise(
          (error, result) => finish(error, error == null ? returnedRows(result) : undefined),
          () => Reflect.apply(original, this, args),
        );
      } catch (error) {
        // A query that pg refuses on the spot: no text at all, a callback that is none, a value that cannot be sent.
        finish(error);
        throw error;
      }
    };
  });

  return () => {
    active = false;
    unhook();
  };
}

/** Where pg looks for it: the third argument, the second, the config. What is no function pg refuses by itself. */
function callbackOf([given, values, callback]: readonly unknown[]): unknown {
  if (callback) return callback;
  if (typeof values === "function") return values;
  return (typeof given === "object" && (given as { callback?: unknown } | null)?.callback) || undefined;
}

function queryWithCallback(
  client: QueryingClient,
  original: (...args: unknown[]) => unknown,
  args: unknown[],
  callback: unknown,
  callers: Callers,
  finish: FinishQuery,
): unknown {
  if (typeof callback !== "function") return Reflect.apply(original, client, args);
  const kept = callers.keep(callback as QueryCallback);
  const finishing: QueryCallback = function (this: unknown, ...outcome) {
    finish(outcome[0], outcome[0] ? undefined : returnedRows(outcome[1]));
    return Reflect.apply(kept, this, outcome);
  };
  const config = args[0] as { callback?: unknown };
  if (args[2] === callback) args[2] = finishing;
  else if (args[1] === callback) args[1] = finishing;
  else {
    // Inherits everything else: the application's own object stays as it is, be it frozen or used again.
    const property = { value: finishing, configurable: true, enumerable: true, writable: true };
    args[0] = Object.create(config, { callback: property });
  }
  const result = Reflect.apply(original, client, args);
  // Before 8.22 pg notes callback and values in the application's own config.
  if (typeof config === "object" && config.callback === finishing) config.callback = callback;
  return result;
}
