const EVERY_MILLIS = 20;
const DIAL_EVERY_MILLIS = 200;
/** What a dial takes on a machine that has time for it. */
const CALM_DIAL_MILLIS = 40;
const BUSY_DIAL_MILLIS = 120;
const MEMORY_MILLIS = 120_000;

const lags: { readonly at: number; readonly millis: number }[] = [];
let lastAt = performance.now();
let dialSince: number | undefined;
let lastDialMillis = 0;

/**
 * Notes how long this process was kept from its work, and the server from taking connections: what is late because of
 * that is no pool's fault.
 *
 * @param dial Opens and closes a connection to the server itself
 * @returns Stops it
 */
export function watchLag(dial: () => Promise<void>): () => void {
  const note = (at: number, millis: number) => {
    if (millis > 10) lags.push({ at, millis });
    while (lags[0] && lags[0].at < at - MEMORY_MILLIS) lags.shift();
  };
  const loop = setInterval(() => {
    const at = performance.now();
    note(at, at - lastAt - EVERY_MILLIS);
    lastAt = at;
  }, EVERY_MILLIS);
  const dials = setInterval(() => {
    if (dialSince !== undefined) return;
    dialSince = performance.now();
    void dial().then(() => {
      const at = performance.now();
      lastDialMillis = at - (dialSince ?? at);
      dialSince = undefined;
      note(at, lastDialMillis - CALM_DIAL_MILLIS);
    });
  }, DIAL_EVERY_MILLIS);
  return () => {
    clearInterval(loop);
    clearInterval(dials);
  };
}

/** Milliseconds lost since then. */
export function lagSince(since: number): number {
  const at = performance.now();
  let millis = Math.max(0, at - lastAt - EVERY_MILLIS);
  if (dialSince !== undefined) millis += Math.max(0, at - dialSince - CALM_DIAL_MILLIS);
  for (const lag of lags) if (lag.at > since) millis += lag.millis;
  return millis;
}

/** Whether the machine has time for another run. */
export function isCalm(): boolean {
  const underWay = dialSince === undefined ? 0 : performance.now() - dialSince;
  return Math.max(lastDialMillis, underWay) < BUSY_DIAL_MILLIS;
}
