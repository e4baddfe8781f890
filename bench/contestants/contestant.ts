import type pg from "pg";

interface Done {
  readonly checkouts: number;
  readonly queries: number;
}

/** Fails where the contestant did not see what was done, and lets go of the pool. */
type Check = (done: Done) => Promise<void>;

/** What watches a pool, installed as its documentation says. `makePool` loads `pg`, for those that have to come first. */
export type Contestant = (
  makePool: () => pg.Pool,
) => Promise<{ readonly pool: pg.Pool; readonly check: Check }>;

export function expectCount(what: string, counted: unknown, expected: unknown): void {
  if (counted !== expected) throw new Error(`counted ${counted} ${what} of ${expected}`);
}
