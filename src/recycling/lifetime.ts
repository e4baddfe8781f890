const MILLIS = 1000;

/**
 * How long one connection may live: the limit less up to `jitter` of it, so that connections opened together are not
 * closed together, and none gets older than the limit. 0, off, is for ever.
 */
export function lifetimeMillis(limitSeconds: number, jitter: number, random: number = Math.random()): number {
  return limitSeconds === 0 ? Number.POSITIVE_INFINITY : limitSeconds * MILLIS * (1 - jitter * random);
}
