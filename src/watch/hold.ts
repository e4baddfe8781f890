import type { CallSite } from "./call-site.ts";
import type { CallerTask } from "./callers.ts";

/** What the looks for leaks have seen of a hold. */
export interface SeenHold {
  /** Bytes that had come and gone over the connection. */
  wireBytes: number | undefined;
  /** The last look at which the connection was in use, or had been since the look before. */
  usedAt: number;
  /** Reported as a leak once. */
  isReported: boolean;
  /** Reported as at work for long once. */
  isReportedAtWork: boolean;
}

export const NO_HOLDS: readonly Hold[] = [];

/** One checkout: a request, then a connection that a caller holds. */
export class Hold {
  /** By `connect()`, and so for the application to release; otherwise `pool.query` has it. */
  readonly isExplicit: boolean;
  readonly site: CallSite | undefined;
  /** Whose use it is; undefined: nobody is told. */
  readonly task: CallerTask | undefined;
  /** What the flow of the caller holds already, of any pool, where that is looked for. */
  readonly outers: readonly Hold[];
  /** `performance.now()` of the last use of its connection, where nested checkouts are looked for. */
  usedAt: number = Number.NEGATIVE_INFINITY;
  /** The connection while it is held. */
  connection: { readonly activity: string } | undefined;
  /** `performance.now()` when it was asked for; undefined for holds older than the watch. */
  readonly requestedAt: number | undefined;
  /** `performance.now()` when it was handed out; when the watch began for holds older than that. */
  since: number;
  /** Found neither an idle connection nor room for one, and waits. */
  isWaiting = false;
  #isHandedOut = false;
  /** Suspected of being a leak. */
  isSuspected = false;
  /** Held for long, and at work. */
  isLongRunning = false;
  /** Undefined before the first look for leaks. */
  seen: SeenHold | undefined;
  /** The label under which the application declared it as held for good. */
  keptAs: string | undefined;
  /** The entry of `longHolds` that its place matches; null: none does. Undefined before the first comparison. */
  longHold: string | null | undefined;
  isReleased = false;

  constructor(
    requestedAt: number | undefined,
    isExplicit: boolean,
    site: CallSite | undefined,
    task: CallerTask | undefined,
    outers: readonly Hold[],
  ) {
    this.isExplicit = isExplicit;
    this.site = site;
    this.task = task;
    this.outers = outers;
    this.requestedAt = requestedAt;
    this.since = requestedAt ?? performance.now();
  }

  /** Held since before the watch: by whom and since when is not known. */
  static fromBefore(): Hold {
    const hold = new Hold(undefined, false, undefined, undefined, NO_HOLDS);
    hold.handedOut(hold.since);
    return hold;
  }

  handedOut(at: number): void {
    this.since = at;
    this.#isHandedOut = true;
  }

  /** Whether `since` is when it was handed out. */
  get isExact(): boolean {
    return this.requestedAt !== undefined;
  }

  /** How long the caller had waited for it. */
  get waitSeconds(): number | undefined {
    return this.requestedAt === undefined ? undefined : (this.since - this.requestedAt) / 1000;
  }

  /** It was handed out, and may have been released since. */
  get isHandedOut(): boolean {
    return this.#isHandedOut;
  }

  /** Somebody has it. */
  get isHeld(): boolean {
    return this.#isHandedOut && !this.isReleased;
  }
}
