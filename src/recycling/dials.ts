import type { Recycler } from "./recycler.ts";

/** Follows each session from its dial on: hooks of the pool prepare it before a caller has it. */
export function hookDials(recycler: Recycler): () => void {
  const { pool } = recycler;
  return recycler.hook("newClient", (original) => {
    return function newClient(item) {
      try {
        original.call(pool, item);
      } finally {
        // Not there where the constructor of `Client` has thrown.
        const client = pool._clients.at(-1);
        if (recycler.isActive && client && !recycler.knownSession(client)) recycler.dialed(client);
      }
    };
  });
}
