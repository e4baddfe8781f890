import { largestLoad, smallestSize } from "./erlang.ts";

/** How large one pool would have to be for what is asked of it, see docs/size-advice.md. */
export interface SizeAdvice {
  /** How many seconds this is about: the last samples, as far back as it takes to have seen enough. */
  readonly windowSeconds: number;
  /** Requests for a connection, those that gave up waiting included. */
  readonly requestsPerSecond: number;
  readonly meanHoldSeconds: number;
  /** `requestsPerSecond × meanHoldSeconds`: the connections that this keeps busy on average. */
  readonly offeredLoad: number;
  /** Option `targetWaitMillis`. */
  readonly targetWaitMillis: number;
  /** The smallest `max` with which 95 of 100 requests wait no longer than that. */
  readonly recommendedSize: number;
  /** How many requests per second the present `max` carries while 95 of 100 wait no longer than that. */
  readonly maxRequestsPerSecond: number;
  /**
   * The pool was nearly always full, or requests were shed: callers may have asked for less than they wanted, and the
   * size needed is this one or a larger one.
   */
  readonly isLowerBound: boolean;
}

/** What was measured over a window. */
export interface MeasuredLoad {
  readonly windowSeconds: number;
  readonly requestsPerSecond: number;
  readonly meanHoldSeconds: number;
  readonly hasShed: boolean;
}

/** The share of requests that may wait longer than the target. */
const TAIL = 0.05;
/** No PostgreSQL has a use for more connections of one pool, and it bounds the work to a millisecond. */
const LARGEST_SIZE = 1_000;
/** From this utilization on it is the pool that sets the pace of those who wait for it. */
const SATURATED_FROM = 0.9;

/** Undefined where no size would do. */
export function sizeAdvice(
  load: MeasuredLoad,
  limit: number,
  targetWaitMillis: number,
): SizeAdvice | undefined {
  const { windowSeconds, requestsPerSecond, meanHoldSeconds, hasShed } = load;
  const offeredLoad = requestsPerSecond * meanHoldSeconds;
  const target = targetWaitMillis / 1000 / meanHoldSeconds;
  const recommendedSize = smallestSize(offeredLoad, target, TAIL, LARGEST_SIZE);
  if (recommendedSize === undefined) return undefined;
  return Object.freeze({
    windowSeconds,
    requestsPerSecond,
    meanHoldSeconds,
    offeredLoad,
    targetWaitMillis,
    recommendedSize,
    maxRequestsPerSecond: largestLoad(Math.min(limit, LARGEST_SIZE), target, TAIL) / meanHoldSeconds,
    isLowerBound: hasShed || offeredLoad >= SATURATED_FROM * limit,
  });
}
