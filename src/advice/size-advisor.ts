import { getOrCreate } from "../get-or-create.ts";
import type { PoolReading } from "../readings/pool-reading.ts";
import { type MeasuredLoad, type SizeAdvice, sizeAdvice } from "./size-advice.ts";

/** What a pool had done when it was sampled, since its first sample. */
interface Mark {
  readonly at: number;
  readonly requests: number;
  readonly shed: number;
  readonly holds: number;
  readonly holdSeconds: number;
}

/** A minute of samples at the default interval: less would follow every wave. */
const FEWEST_SAMPLES = 6;
/** The load is then known to about 10 %: its relative error is √(2/n) for exponential gaps and holds. */
const FEWEST_HOLDS = 200;
/** Ten minutes at the default interval. What is older says little of the load now. */
const MARKS_KEPT = 60;

/** The last marks of one pool, oldest first. By column: five lists of numbers take a third of sixty objects. */
class Marks {
  readonly #columns: Record<keyof Mark, number[]> = {
    at: [],
    requests: [],
    shed: [],
    holds: [],
    holdSeconds: [],
  };

  get length(): number {
    return this.#columns.at.length;
  }

  add(mark: Mark): void {
    for (const [key, column] of Object.entries(this.#columns)) {
      column.push(mark[key as keyof Mark]);
      if (column.length > MARKS_KEPT) column.shift();
    }
  }

  /** @param age 1: the last one. Undefined where there is none. */
  before(age: number): Mark | undefined {
    const { at, requests, shed, holds, holdSeconds } = this.#columns;
    const index = at.length - age;
    if (index < 0 || age < 1) return undefined;
    const value = (column: readonly number[]) => column[index] as number;
    return {
      at: value(at),
      requests: value(requests),
      shed: value(shed),
      holds: value(holds),
      holdSeconds: value(holdSeconds),
    };
  }
}

/**
 * Follows the load of each pool from sample to sample, and advises on its size. The window reaches back over the last
 * {@link FEWEST_SAMPLES} samples and, where little happens, further, until {@link FEWEST_HOLDS} holds have ended in it.
 */
export class SizeAdvisor {
  readonly #targetWaitMillis: number;
  readonly #marks = new Map<string, Marks>();

  /** @param targetWaitMillis 0: no advice. */
  constructor(targetWaitMillis: number) {
    this.#targetWaitMillis = targetWaitMillis;
  }

  /** Undefined until enough was seen. */
  advise(reading: PoolReading): SizeAdvice | undefined {
    if (this.#targetWaitMillis === 0) return undefined;
    const load = this.#measure(reading);
    return load && sizeAdvice(load, reading.limit, this.#targetWaitMillis);
  }

  /** Takes the samples of one round, after {@link advise}. Pools that are not in it are not watched any more. */
  add(round: readonly PoolReading[]): void {
    const present = new Set(round.map(({ pool }) => pool));
    for (const pool of this.#marks.keys()) if (!present.has(pool)) this.#marks.delete(pool);
    for (const reading of round) {
      const marks = getOrCreate(this.#marks, reading.pool, () => new Marks());
      marks.add(mark(reading, marks.before(1)));
    }
  }

  /** A new pool of an old name has no past. */
  forget(pool: string): void {
    this.#marks.delete(pool);
  }

  #measure(reading: PoolReading): MeasuredLoad | undefined {
    const marks = this.#marks.get(reading.pool);
    if (!marks) return undefined;
    const now = mark(reading, marks.before(1));
    for (let samples = FEWEST_SAMPLES; samples <= marks.length; samples++) {
      const then = marks.before(samples) as Mark;
      const holds = now.holds - then.holds;
      if (holds < FEWEST_HOLDS) continue;
      const windowSeconds = (now.at - then.at) / 1000;
      const requestsPerSecond = (now.requests - then.requests) / windowSeconds;
      const meanHoldSeconds = (now.holdSeconds - then.holdSeconds) / holds;
      if (!(requestsPerSecond > 0 && meanHoldSeconds > 0)) return undefined;
      return { windowSeconds, requestsPerSecond, meanHoldSeconds, hasShed: now.shed > then.shed };
    }
    return undefined;
  }
}

/** @param last The previous sample: the holds of a reading count from there. */
function mark(reading: PoolReading, last: Mark | undefined): Mark {
  return {
    at: performance.now(),
    // Those whose connection could not be opened held nothing, and callers that try again would count many times.
    requests: reading.requests - reading.connectFailures,
    shed: reading.shed,
    holds: (last?.holds ?? 0) + reading.use.count,
    holdSeconds: (last?.holdSeconds ?? 0) + reading.use.sum,
  };
}
