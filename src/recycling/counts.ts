import type { PoolInside } from "../pg/pool-inside.ts";
import type { Recycler } from "./recycler.ts";

/**
 * The pool's public counts with what recycling has taken from pg-pool: callers at the gate are waiting, and a client that
 * is pinged to keep it alive is idle.
 */
export function hookCounts(recycler: Recycler): () => void {
  const { pool, gate, leases } = recycler;
  const undo = [
    add(pool, "waitingCount", () => gate.waiting),
    add(pool, "idleCount", () => {
      let idle = 0;
      for (const { purpose } of leases) if (purpose === "keep-alive") idle++;
      return idle;
    }),
  ];
  return () => {
    for (const step of undo) step();
  };
}

function add(pool: PoolInside, name: "waitingCount" | "idleCount", more: () => number): () => void {
  // An own property is somebody else's, who knows better.
  if (Object.hasOwn(pool, name)) return () => {};
  const get = (): number => Reflect.get(Object.getPrototypeOf(pool), name, pool) + more();
  Object.defineProperty(pool, name, { get, configurable: true, enumerable: false });
  return () => {
    if (Object.getOwnPropertyDescriptor(pool, name)?.get === get) Reflect.deleteProperty(pool, name);
  };
}
