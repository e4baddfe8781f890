import type { Callers } from "./callers.ts";
import { override } from "./override.ts";
import type { ClientConstructor, DialingClient, HookablePool, PgClient } from "./pg-types.ts";

/** Hears of the connections that a pool opens. Must not throw. */
export interface DialObserver {
  dialStarted(client: PgClient): void;
  /** The dial failed. A dial that succeeds shows as an event of the pool. */
  dialFailed(client: PgClient, error: unknown): void;
}

/**
 * pg-pool emits nothing when a dial starts or fails, so the class it dials with is watched: a transparent proxy of
 * `pool.Client` whose instances report their first `connect`.
 */
export function hookDials(
  pool: HookablePool,
  observer: DialObserver,
  callers: Callers,
  isActive: () => boolean,
): () => void {
  const { Client } = pool;
  const Watched: ClientConstructor = new Proxy(Client, {
    construct(target, args, newTarget) {
      const client = Reflect.construct(
        target,
        args,
        newTarget === Watched ? target : newTarget,
      ) as DialingClient;
      if (isActive()) hookDial(client, observer, callers);
      return client;
    },
  });
  pool.Client = Watched;
  return () => {
    if (pool.Client === Watched) pool.Client = Client;
  };
}

function hookDial(client: DialingClient, observer: DialObserver, callers: Callers): void {
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
      return callers.outside(() => Reflect.apply(original, this, args));
    };
  });
}
