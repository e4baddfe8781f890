import { errorMonitor } from "node:events";
import type { HookablePool, PgClient } from "./pg-types.ts";
import { setShared, sharedKey } from "./shared-state.ts";

/** Called at a pool's events, in the middle of the application's work: nothing here may throw. */
export interface PoolEvents {
  connected(client: PgClient): void;
  /** pg-pool is about to take the client back, or to close it. */
  released(client: PgClient, error: unknown): void;
  /** An idle client broke and was closed. */
  lost(client: PgClient): void;
  /** A closed client has closed its socket. */
  removed(client: PgClient): void;
}

type Listener = (...args: never[]) => void;

/** One set of listeners for all that observe a pool, of every copy of poolscope: eleven would be warned of as a leak. */
interface Listening {
  /** Replaced when one comes or goes: a round under way goes on with those it began with. */
  observers: readonly PoolEvents[];
  readonly listeners: readonly (readonly [event: string | symbol, listener: Listener])[];
}

const LISTENING: unique symbol = sharedKey("listening/1") as never;

interface ListenedPool {
  readonly [LISTENING]?: Listening;
}

/** @returns Stops it. With the last observer the listeners go. */
export function observeEvents(pool: HookablePool, observer: PoolEvents): () => void {
  const listening = (pool as ListenedPool)[LISTENING] ?? newListening(pool);
  // Again each time: the application may have removed them with all others of the event.
  for (const [event, listener] of listening.listeners) {
    if (pool.listeners?.(event).includes(listener)) continue;
    pool.removeListener(event, listener);
    pool.on(event, listener);
  }
  listening.observers = [...listening.observers, observer];
  return () => {
    listening.observers = listening.observers.filter((other) => other !== observer);
    if (listening.observers.length > 0) return;
    for (const [event, listener] of listening.listeners) pool.removeListener(event, listener);
    Reflect.deleteProperty(pool, LISTENING);
  };
}

function newListening(pool: HookablePool): Listening {
  const listening: Listening = {
    observers: [],
    listeners: [
      [
        "connect",
        function connected(client: PgClient): void {
          for (const observer of listening.observers) observer.connected(client);
        },
      ],
      [
        "release",
        function released(error: unknown, client: PgClient): void {
          for (const observer of listening.observers) observer.released(client, error);
        },
      ],
      [
        "remove",
        function removed(client: PgClient): void {
          for (const observer of listening.observers) observer.removed(client);
        },
      ],
      [
        // An `error` listener would keep the application alive where it would have died.
        errorMonitor,
        function lost(_error: unknown, client: PgClient): void {
          for (const observer of listening.observers) observer.lost(client);
        },
      ],
    ],
  };
  setShared(pool, LISTENING, listening);
  return listening;
}
