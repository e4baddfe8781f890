import { getOrCreate } from "../get-or-create.ts";
import type { AwakeClock } from "./awake-clock.ts";
import type { HeldConnection } from "./connections.ts";
import type { SeenHold } from "./hold.ts";
import type { WatchedPool } from "./watched-pool.ts";

/** Receives what the looks find. Must not throw. */
export interface LongHoldReports {
  /** Suspected leaks of one place, found at one look. */
  leaks(pool: WatchedPool, held: readonly HeldConnection[]): void;
  /** A suspected leak is in use again, or was declared as kept. */
  leakCleared(pool: WatchedPool, held: HeldConnection): void;
  /** A connection is held for long, and at work. */
  longRunning(pool: WatchedPool, held: HeldConnection): void;
}

interface Candidate {
  readonly held: HeldConnection;
  readonly unusedMillis: number;
}

const LOOKS = 4;
/** A leak is reported so many looks later where others of its place are about to follow. */
const GATHERING_LOOKS = 2;

/**
 * Finds connections that are held for too long: one look at all pools now and then, and no timer for a checkout. A leak
 * is a connection that was held for `leakAfterMillis` and not used for as long; one that is at work is long running. Use
 * is seen on the wire, so that fetches of a cursor count, rows of a COPY, and statements nobody measures.
 */
export class LeakDetector {
  readonly #clock: AwakeClock;
  readonly #reports: LongHoldReports;

  /** @param clock Time in which the process is frozen is no time that a connection is held */
  constructor(clock: AwakeClock, reports: LongHoldReports) {
    this.#clock = clock;
    this.#reports = reports;
  }

  look(pools: Iterable<WatchedPool>): void {
    for (const pool of pools) this.#lookAt(pool, performance.now());
  }

  #lookAt(pool: WatchedPool, at: number): void {
    const after = pool.leakAfterMillis;
    if (after === 0) return;
    const gathering = GATHERING_LOOKS * lookIntervalMillis(after);
    const unused: Candidate[] = [];
    // A report may run code of the application that releases: looked at first, reported later.
    for (const held of [...pool.held()]) {
      const { hold } = held;
      const unusedMillis = this.#clock.awakeMillis(lastUse(held, at).usedAt, at);
      const isLong = this.#clock.awakeMillis(hold.since, at) >= after && pool.keptAs(held) === undefined;
      const isAtWork = unusedMillis < after / 2;
      if (hold.isSuspected && (!isLong || isAtWork)) {
        hold.isSuspected = false;
        this.#reports.leakCleared(pool, held);
      }
      hold.isLongRunning = isLong && isAtWork;
      if (hold.isLongRunning) this.#atWork(pool, held);
      // Also those that are due soon.
      else if (!hold.isSuspected && pool.keptAs(held) === undefined && unusedMillis >= after - gathering)
        unused.push({ held, unusedMillis });
    }
    for (const group of due(unused, after, gathering)) this.#suspect(pool, group);
  }

  #atWork(pool: WatchedPool, held: HeldConnection): void {
    const { seen } = held.hold;
    if (!seen || seen.isReportedAtWork) return;
    seen.isReportedAtWork = true;
    this.#reports.longRunning(pool, held);
  }

  #suspect(pool: WatchedPool, group: readonly HeldConnection[]): void {
    const unreported = group.filter(({ hold }) => !hold.isReleased && pool.suspect(hold));
    if (unreported.length > 0) this.#reports.leaks(pool, unreported);
  }
}

/** How often to look at a pool: a leak alone is reported half of the time late at most. 0: never. */
export function lookIntervalMillis(leakAfterMillis: number): number {
  return leakAfterMillis === 0 ? 0 : Math.min(5_000, Math.max(10, Math.ceil(leakAfterMillis / LOOKS)));
}

/** Notes whether a connection was used since the last look. */
function lastUse(held: HeldConnection, at: number): SeenHold {
  const { hold, wireBytes, activity } = held;
  hold.seen ??= { wireBytes, usedAt: at, isReported: false, isReportedAtWork: false };
  const { seen } = hold;
  if (activity === "executing" || wireBytes !== seen.wireBytes) seen.usedAt = at;
  seen.wireBytes = wireBytes;
  return seen;
}

/** By place. One place is reported when all are due that are about to be, but no later than the looks for gathering. */
function due(unused: readonly Candidate[], after: number, gathering: number): HeldConnection[][] {
  const places = new Map<string, Candidate[]>();
  for (const candidate of unused) {
    getOrCreate(places, placeOf(candidate.held), () => [] as Candidate[]).push(candidate);
  }
  return [...places.values()].flatMap((candidates) => {
    const dueNow = candidates.filter(({ unusedMillis }) => unusedMillis >= after);
    const waitsNoMore = candidates.some(({ unusedMillis }) => unusedMillis >= after + gathering);
    if (dueNow.length === 0 || (dueNow.length < candidates.length && !waitsNoMore)) return [];
    return [dueNow.map(({ held }) => held)];
  });
}

function placeOf({ hold }: HeldConnection): string {
  return hold.site?.location ?? (hold.isExplicit ? "connect" : "query");
}
