import { setTimeout as sleep } from "node:timers/promises";

/** Seconds of one round. */
export const MINUTE = 60;
export const RUSH: { readonly fromSecond: number; readonly toSecond: number } = {
  fromSecond: 20,
  toSecond: 35,
};
/** How long a report takes. Those of the rush are slow queries, the others are not: what the rush set off ends with it. */
export const REPORT_SECONDS: { readonly rush: number; readonly quiet: number } = { rush: 2, quiet: 0.5 };
const ITEMS = ["tea", "coffee", "cocoa"];

/**
 * Customers who come and go over a minute, and once a minute people who all want a report at once: more than the pool
 * has connections for.
 *
 * @returns Stops the load and waits for the answers still due.
 */
export function startLoad(origin: string): () => Promise<void> {
  const stopping = new AbortController();
  const underway = new Set<Promise<void>>();
  const startedAt = performance.now();

  const send = (path: string, init?: RequestInit): void => {
    // A refusal is an answer too: what it means shows in the pools' numbers.
    const request = fetch(`${origin}${path}`, init)
      .then(async (response) => void (await response.arrayBuffer()))
      .catch(() => {})
      .finally(() => underway.delete(request));
    underway.add(request);
  };

  const repeat = async (once: (seconds: number) => number): Promise<void> => {
    while (!stopping.signal.aborted) {
      const pauseMillis = once((performance.now() - startedAt) / 1000);
      await sleep(pauseMillis, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };

  let orders = 0;
  const order = (seconds: number): number => {
    orders++;
    if (orders % 2 === 0) send("/orders");
    else send("/orders", { method: "POST", ...json({ item: ITEMS[orders % ITEMS.length] }) });
    return 1000 / ordersPerSecond(seconds);
  };

  const report = (seconds: number): number => {
    const isRush = isRushAt(seconds);
    send(`/reports/slow?seconds=${isRush ? REPORT_SECONDS.rush : REPORT_SECONDS.quiet}`);
    return isRush ? 250 : 2000;
  };

  const loops = [repeat(order), repeat(report)];
  return async () => {
    stopping.abort();
    await Promise.all(loops);
    await Promise.all(underway);
  };
}

/** From 4 to 30 and back. */
function ordersPerSecond(seconds: number): number {
  return 17 - 13 * Math.cos((2 * Math.PI * seconds) / MINUTE);
}

function isRushAt(seconds: number): boolean {
  const second = seconds % MINUTE;
  return second >= RUSH.fromSecond && second < RUSH.toSecond;
}

function json(body: object): RequestInit {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
