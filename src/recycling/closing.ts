import { type ClientInside, callsBack, destroySocket, serve } from "../pg/pool-inside.ts";
import type { Recycler } from "./recycler.ts";

/**
 * pg-pool closes a client gracefully and serves the next waiter when the connection has ended. With nothing on the other
 * side that is never: after a grace the socket is destroyed, and the queue is served whatever became of it.
 */
export function hookRemovals(recycler: Recycler): () => void {
  const { pool } = recycler;
  return recycler.hook("_remove", (original) => {
    return function _remove(given, callback) {
      const client = given as ClientInside;
      if (!recycler.isActive) return Reflect.apply(original, pool, [client, callback]);
      // Where pg-pool itself would not serve its queue: a connection that broke while it was idle.
      const done = callback ?? (() => serve(pool));
      let isLost = true;
      try {
        Reflect.apply(original, pool, [client, done]);
        isLost = !callsBack(pool);
      } finally {
        // A listener of `remove` that throws takes the callback with it.
        if (isLost) process.nextTick(() => recycler.serve());
        mind(recycler, client);
      }
    };
  });
}

function mind(recycler: Recycler, client: ClientInside): void {
  const { connection } = client;
  const { busyTimeoutMillis, halfOpenGraceMillis } = recycler.settings;
  if (connection?.stream?.destroyed) return;
  let wasEnding = false;
  let elapsed = 0;
  const look = () => {
    elapsed += halfOpenGraceMillis;
    // pg lets a pipeline that is on the wire complete before it sends the Terminate message.
    const isWorking = connection?._ending === false && elapsed < busyTimeoutMillis;
    const hasJustEnded = !wasEnding && connection?._ending === true && elapsed > halfOpenGraceMillis;
    if (isWorking || hasJustEnded) {
      wasEnding = hasJustEnded;
      timer = setTimeout(look, halfOpenGraceMillis).unref();
      return;
    }
    destroySocket(client);
    recycler.serve();
  };
  let timer = setTimeout(look, halfOpenGraceMillis).unref();
  connection?.stream?.once?.("close", () => clearTimeout(timer));
}
