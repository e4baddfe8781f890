import { override } from "../watch/override.ts";
import { type ClientInside, destroySocket } from "./inside.ts";
import type { Recycler } from "./recycler.ts";

/**
 * pg-pool says goodbye to a client it closes and serves the next waiter when the socket has closed. With nobody on the
 * other side that is never: after a grace the socket is destroyed, which is what pg-pool waits for.
 */
export function hookRemovals(recycler: Recycler): () => void {
  const { pool, settings } = recycler;
  return override(pool, "_remove", (original) => {
    return function _remove(client, callback) {
      Reflect.apply(original, pool, [client, callback]);
      if (!recycler.isActive) return;
      const { connection } = client as ClientInside;
      if (!connection?.stream || connection.stream.destroyed) return;
      const timer = setTimeout(destroySocket, settings.halfOpenGraceMillis, client).unref();
      connection.stream.once?.("close", () => clearTimeout(timer));
    };
  });
}
