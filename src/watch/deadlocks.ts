import type { Hold } from "./hold.ts";

/** One pool, as a search for deadlocks sees it. */
export interface PoolSeats {
  readonly name: string;
  /** The holds of a pool that can hand out no more; undefined: it can, or not all of its holds are known. */
  takenSeats(): readonly Hold[] | undefined;
  /** Requests that wait. */
  waitingHolds(): readonly Hold[];
}

/** Pools whose connections are all held by flows that wait for another one of these pools. */
export interface Deadlock {
  readonly pools: readonly string[];
  /** `performance.now()` when the last of these flows began to wait. */
  readonly since: number;
}

interface Wait {
  readonly pool: PoolSeats;
  readonly since: number;
}

/** The pools of one scope where nested checkouts are looked for. Does not keep them. */
export class Deadlocks {
  readonly #pools = new Set<WeakRef<PoolSeats>>();

  add(pool: PoolSeats): void {
    this.#pools.add(new WeakRef(pool));
  }

  #all(): PoolSeats[] {
    const all: PoolSeats[] = [];
    for (const ref of this.#pools) {
      const pool = ref.deref();
      if (pool) all.push(pool);
      else this.#pools.delete(ref);
    }
    return all;
  }

  /** The deadlock that a pool is part of. */
  of(pool: PoolSeats): Deadlock | undefined {
    if (!pool.takenSeats()) return undefined;
    const pools = this.#all();
    const waits = waitsByHold(pools);
    const seats = new Map<PoolSeats, readonly Hold[]>();
    for (const one of pools) {
      const taken = one.takenSeats();
      if (taken) seats.set(one, taken);
    }
    // One that hands out sooner or later ends the waits for it, and so may free seats of others.
    const isLocked = (hold: Hold) => waits.get(hold)?.some((wait) => seats.has(wait.pool)) === true;
    for (let before = -1; before !== seats.size; ) {
      before = seats.size;
      for (const [one, holds] of seats) if (!holds.every(isLocked)) seats.delete(one);
    }
    return seats.has(pool) ? around(pool, seats, waits) : undefined;
  }
}

/** Whether the flow of a hold does nothing but wait: it has not used its connection since, and no statement runs on it. */
export function isWaitingFor(outer: Hold, { requestedAt = 0 }: Hold): boolean {
  return outer.isHeld && outer.usedAt <= requestedAt && outer.connection?.activity !== "executing";
}

function waitsByHold(pools: readonly PoolSeats[]): Map<Hold, Wait[]> {
  const waits = new Map<Hold, Wait[]>();
  for (const pool of pools) {
    for (const waiting of pool.waitingHolds()) {
      for (const outer of waiting.outers) {
        if (!isWaitingFor(outer, waiting)) continue;
        waits.set(outer, [...(waits.get(outer) ?? []), { pool, since: waiting.requestedAt ?? 0 }]);
      }
    }
  }
  return waits;
}

function around(
  pool: PoolSeats,
  seats: ReadonlyMap<PoolSeats, readonly Hold[]>,
  waits: ReadonlyMap<Hold, readonly Wait[]>,
): Deadlock {
  const found = new Set([pool]);
  let last = 0;
  // A set that is walked has what is added meanwhile.
  for (const one of found) {
    for (const hold of seats.get(one) ?? []) {
      const locked = (waits.get(hold) ?? []).filter((wait) => seats.has(wait.pool));
      last = Math.max(last, Math.min(...locked.map(({ since }) => since)));
      for (const wait of locked) found.add(wait.pool);
    }
  }
  return { pools: [...found].map(({ name }) => name), since: last };
}
