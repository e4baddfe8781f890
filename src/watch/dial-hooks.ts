import type { Callers } from "./callers.ts";
import type { PoolObserver } from "./hooks.ts";
import { override } from "./override.ts";
import type { ClientConstructor, DialingClient, HookablePool } from "./pg-types.ts";

/**
 * pg-pool emits nothing when a dial starts or fails, so the class it dials with is watched: a transparent proxy of
 * `pool.Client` whose instances report their first `connect`.
 */
export function hookDials(
  pool: HookablePool,
  observer: PoolObserver,
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

function hookDial(client: DialingClient, observer: PoolObserver, callers: Callers): void {
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
