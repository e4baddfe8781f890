/**
 * The queue with Poisson arrivals, exponential holds and `size` connections (M/M/c), in terms of the offered load
 * a = λS: the connections that would be busy on average if there were enough. See docs/size-advice.md.
 */

/**
 * The probability that a request is turned away where nobody may wait (Erlang B). The recursion over the size has no
 * factorials and no powers: nothing overflows, whatever the size.
 */
export function erlangB(size: number, offeredLoad: number): number {
  let blocking = 1;
  for (let connections = 1; connections <= size; connections++) {
    blocking = nextBlocking(blocking, connections, offeredLoad);
  }
  return blocking;
}

/** The probability that a request has to wait (Erlang C): 1 from where the load is no less than the size. */
export function erlangC(size: number, offeredLoad: number): number {
  return waitProbability(erlangB(size, offeredLoad), size, offeredLoad);
}

/**
 * How long all but a `tail` of the requests wait at most, in units of the mean hold: P(wait > t) = C·e^−(c−a)t.
 * Infinite from where the load is no less than the size.
 */
export function waitQuantile(size: number, offeredLoad: number, tail: number): number {
  return quantile(erlangC(size, offeredLoad), size, offeredLoad, tail);
}

/** The smallest size that keeps {@link waitQuantile} at `target` or below; undefined when it is above `largest`. */
export function smallestSize(
  offeredLoad: number,
  target: number,
  tail: number,
  largest: number,
): number | undefined {
  let blocking = 1;
  for (let size = 1; size <= largest; size++) {
    blocking = nextBlocking(blocking, size, offeredLoad);
    const waits = waitProbability(blocking, size, offeredLoad);
    if (quantile(waits, size, offeredLoad, tail) <= target) return size;
  }
  return undefined;
}

/** Halvings of the interval: to a billionth of the size. */
const STEPS = 30;

/** The largest load that a size carries with {@link waitQuantile} at `target` or below. */
export function largestLoad(size: number, target: number, tail: number): number {
  // The wait grows with the load, so halving finds it.
  let carried = 0;
  let tooMuch = size;
  for (let step = 0; step < STEPS; step++) {
    const load = (carried + tooMuch) / 2;
    if (waitQuantile(size, load, tail) <= target) carried = load;
    else tooMuch = load;
  }
  return carried;
}

/** From the blocking of one connection less. */
function nextBlocking(blocking: number, size: number, offeredLoad: number): number {
  return (offeredLoad * blocking) / (size + offeredLoad * blocking);
}

function waitProbability(blocking: number, size: number, offeredLoad: number): number {
  if (offeredLoad >= size) return 1;
  return blocking / (1 - (offeredLoad / size) * (1 - blocking));
}

function quantile(waits: number, size: number, offeredLoad: number, tail: number): number {
  if (offeredLoad >= size) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.log(waits / tail) / (size - offeredLoad));
}
