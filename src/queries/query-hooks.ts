import type { Callers } from "../watch/callers.ts";
import { isSame, override } from "../watch/override.ts";
import type { ClientQueries } from "./client-queries.ts";
import { type QueryingClient, queryPromises } from "./query-promises.ts";
import type { GivenQuery } from "./query-text.ts";
import { returnedRows } from "./returned-rows.ts";
import type { RunningQuery } from "./running-query.ts";
import { followSubmittable, isSubmittable } from "./submittable.ts";

type QueryCallback = (this: unknown, error: unknown, result?: unknown) => unknown;

/**
 * Hears of a client's queries, in whatever shape they are called: text or config, callback or promise, or a Submittable.
 * What the application sees stays the same: the same return value, the same promise with nothing chained to it, the same
 * stacks.
 *
 * @returns Puts the client back as it was. Queries under way are followed to their end.
 */
export function hookQueries(queries: ClientQueries, callers: Callers): () => void {
  const client = queries.client as QueryingClient;
  if (typeof client.query !== "function") return () => {};
  let active = true;
  const replacePromise = queryPromises(client);

  const unhook = override(client, "query", (original) => {
    return function query(this: QueryingClient, ...args: unknown[]): unknown {
      if (!active || queries.pool.isOver || (this !== client && !isSame(this, client)))
        return Reflect.apply(original, this, args);
      const given = args[0];
      const running = queries.began(given as GivenQuery);
      try {
        if (isSubmittable(given)) {
          followSubmittable(given, running);
          return Reflect.apply(original, this, args);
        }
        const callback = callbackOf(given, args[1], args[2]);
        if (callback === undefined) {
          const Before = replacePromise(running);
          try {
            return Reflect.apply(original, this, args);
          } finally {
            client._Promise = Before;
          }
        }
        if (typeof callback !== "function") return Reflect.apply(original, this, args);
        const finishing = finishingCallback(callers.keep(callback as QueryCallback), running);
        // As pg-pool asks, spelt out: 88 bytes less, because the array of arguments need not be made.
        const result =
          args.length === 3 && args[2] === callback
            ? original.call(this, given, args[1], finishing)
            : queryWithCallback(this, original, args, callback, finishing);
        restoreCallback(given, callback, finishing);
        return result;
      } catch (error) {
        // A query that pg refuses on the spot: no text at all, a callback that is none, a value that cannot be sent.
        running.over(error);
        throw error;
      }
    };
  });

  function finishingCallback(callback: QueryCallback, running: RunningQuery): QueryCallback {
    return function answered(this: unknown, ...outcome) {
      const endedAt = performance.now();
      running.over(outcome[0], outcome[0] ? undefined : returnedRows(outcome[1]), endedAt);
      if (!running.isOfPool) return Reflect.apply(callback, this, outcome);
      const { moment } = queries.pool;
      moment.leave(endedAt);
      try {
        return Reflect.apply(callback, this, outcome);
      } finally {
        moment.pass();
      }
    };
  }

  return () => {
    active = false;
    unhook();
  };
}

/** Where pg looks for it: the third argument, the second, the config. What is no function pg refuses by itself. */
function callbackOf(given: unknown, values: unknown, callback: unknown): unknown {
  if (callback) return callback;
  if (typeof values === "function") return values;
  return (typeof given === "object" && (given as { callback?: unknown } | null)?.callback) || undefined;
}

function queryWithCallback(
  client: QueryingClient,
  original: (...args: unknown[]) => unknown,
  args: unknown[],
  callback: unknown,
  finishing: QueryCallback,
): unknown {
  const config = args[0] as { callback?: unknown };
  if (args[2] === callback) args[2] = finishing;
  else if (args[1] === callback) args[1] = finishing;
  else {
    // Inherits everything else: the application's own object stays as it is, be it frozen or used again.
    const property = { value: finishing, configurable: true, enumerable: true, writable: true };
    args[0] = Object.create(config, { callback: property });
  }
  return Reflect.apply(original, client, args);
}

/** Before 8.22 pg notes callback and values in the application's own config. */
function restoreCallback(given: unknown, callback: unknown, finishing: QueryCallback): void {
  if (typeof given !== "object") return;
  const config = given as { callback?: unknown };
  if (config.callback === finishing) config.callback = callback;
}
