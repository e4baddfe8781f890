import { override } from "./override.ts";
import type { ClientConstructor, DialingClient, HookablePool, PgClient } from "./pg-types.ts";
import { setShared, sharedKey } from "./shared-state.ts";

/** Hears of the connections that a pool opens. Must not throw. */
export interface DialObserver {
  dialStarted(client: PgClient): void;
  /** The dial failed. A dial that succeeds shows as an event of the pool. */
  dialFailed(client: PgClient, error: unknown): void;
  /** Does what must not stay with the flow that is under way: a socket lives longer. */
  outside<T>(act: () => T): T;
}

/** The class a pool dials with, watched once for all that observe the pool, of every copy of poolscope. */
interface Dialing {
  readonly Client: ClientConstructor;
  readonly Watched: ClientConstructor;
  /** Replaced when one comes or goes. */
  observers: readonly ((client: DialingClient) => void)[];
}

const DIALING: unique symbol = sharedKey("dialing/1") as never;

interface DialedPool {
  readonly [DIALING]?: Dialing;
}

/** The pool's class of clients as it is without any watch: what connects with it beside the pool is not the pool's. */
export function clientClassOf(pool: HookablePool): ClientConstructor {
  const dialing = (pool as DialedPool)[DIALING];
  return dialing && pool.Client === dialing.Watched ? dialing.Client : pool.Client;
}

/**
 * pg-pool emits nothing when a dial starts or fails, so the class it dials with is watched: a transparent proxy of
 * `pool.Client` whose instances report their first `connect`.
 */
export function hookDials(pool: HookablePool, observer: DialObserver): () => void {
  const present = (pool as DialedPool)[DIALING];
  // Replaced by the application since: what it put there is watched.
  const dialing = present && pool.Client === present.Watched ? present : newDialing(pool);
  const hook = (client: DialingClient) => hookDial(client, observer);
  dialing.observers = [...dialing.observers, hook];
  return () => {
    dialing.observers = dialing.observers.filter((other) => other !== hook);
    if (dialing.observers.length > 0) return;
    if (pool.Client === dialing.Watched) pool.Client = dialing.Client;
    if ((pool as DialedPool)[DIALING] === dialing) Reflect.deleteProperty(pool, DIALING);
  };
}

function newDialing(pool: HookablePool): Dialing {
  const { Client } = pool;
  const Watched: ClientConstructor = new Proxy(Client, {
    construct(target, args, newTarget) {
      const client = Reflect.construct(
        target,
        args,
        newTarget === Watched ? target : newTarget,
      ) as DialingClient;
      for (const hook of dialing.observers) hook(client);
      return client;
    },
  });
  const dialing: Dialing = { Client, Watched, observers: [] };
  pool.Client = Watched;
  setShared(pool, DIALING, dialing);
  return dialing;
}

function hookDial(client: DialingClient, observer: DialObserver): void {
  const unhook = override(client, "connect", (original) => {
    return function connect(
      this: DialingClient,
      ...args: [callback?: (error?: Error | null) => void]
    ): unknown {
      unhook();
      const callback = args[0];
      if (typeof callback !== "function") return Reflect.apply(original, this, args);
      observer.dialStarted(client);
      args[0] = function (this: unknown, ...outcome) {
        if (outcome[0]) observer.dialFailed(client, outcome[0]);
        return Reflect.apply(callback, this, outcome);
      };
      return observer.outside(() => Reflect.apply(original, this, args));
    };
  });
}
