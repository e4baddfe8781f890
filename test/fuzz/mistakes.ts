import type { Fault, Plan } from "./plan.ts";

/** Thrown by the application: the process survives it, as one with a handler of `uncaughtException` does. */
export class ApplicationMistake extends Error {
  override readonly name = "ApplicationMistake";
}

/** What a bare pool cannot be held to after the mistakes that were made. */
export interface Excuses {
  /** Places of the pool that are lost for good. */
  slots: number;
  /** Callers whose answer was lost. */
  callers: number;
  /** A place became free, and the queue was not served for it. */
  isPulseLost: boolean;
  /** `end()` waits for a callback that was lost. */
  isEndLost: boolean;
}

const COSTS: Readonly<Record<Fault, Partial<Excuses>>> = {
  // From a chain of failed dials it takes the caller of the dial that failed with it.
  "constructor-throws": { callers: 2, isPulseLost: true, isEndLost: true },
  "connect-throws": { slots: 1, callers: 2, isPulseLost: true },
  "connect-hangs": { slots: 1, callers: 1 },
  "hook-rejects": {},
  "hook-throws": {},
  "hook-hangs": { slots: 1, callers: 1 },
  "verify-fails": {},
  "verify-hangs": { slots: 1, callers: 1 },
  "connect-listener-throws": { slots: 1, callers: 1 },
  // Thrown out of a release, it takes the answer of the releasing query with it.
  "acquire-listener-throws": { slots: 1, callers: 2, isPulseLost: true },
  "release-listener-throws": { slots: 1, callers: 1, isPulseLost: true },
  "remove-listener-throws": { callers: 1, isPulseLost: true, isEndLost: true },
  "callback-throws": {},
};

/** The mistakes of one run, made at the opportunities its plan names. */
export class Mistakes {
  readonly excuses: Excuses = { slots: 0, callers: 0, isPulseLost: false, isEndLost: false };
  readonly made: Fault[] = [];
  isOff = false;
  readonly #planned: { readonly fault: Fault; after: number; times: number }[];

  constructor(plan: Plan) {
    this.#planned = plan.faults.map((planned) => ({ ...planned }));
  }

  plans(fault: Fault): boolean {
    return this.#planned.some((planned) => planned.fault === fault);
  }

  /** An opportunity. Costs nothing where the application alone suffers. */
  isMade(fault: Fault): boolean {
    if (this.isOff) return false;
    for (const planned of this.#planned) {
      if (planned.fault !== fault || planned.times === 0) continue;
      if (planned.after-- > 0) return false;
      planned.times--;
      this.made.push(fault);
      const { slots = 0, callers = 0, isPulseLost = false, isEndLost = false } = COSTS[fault];
      this.excuses.slots += slots;
      this.excuses.callers += callers;
      this.excuses.isPulseLost ||= isPulseLost;
      this.excuses.isEndLost ||= isEndLost;
      return true;
    }
    return false;
  }

  throwIfMade(fault: Fault): void {
    if (this.isMade(fault)) throw new ApplicationMistake(fault);
  }
}
