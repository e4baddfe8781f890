import { setTimeout as sleep } from "node:timers/promises";
import type { RequestHandler } from "express";
import type { Pool, PoolClient } from "pg";
import { poolNamed, wholeNumber } from "./faults.ts";
import type { Pools } from "./pools.ts";

const MAX_SECONDS = 600;

export interface HoldRoutes {
  readonly hold: RequestHandler;
  readonly giveBack: RequestHandler;
}

/**
 * `POST ?pool=orders&clients=3&seconds=20` takes clients out of a pool, answers once it has them, and gives them back
 * later. With `&begin=true` they stay inside a transaction meanwhile. `DELETE ?pool=orders` gives those
 * of the pool back now.
 *
 * @param signal Gives everything back at once.
 */
export function holdRoutes(pools: Pools, signal: AbortSignal): HoldRoutes {
  const early = new Map<Pool, AbortController>();
  const hold: RequestHandler = async (request, response) => {
    const { pool: name, clients: count, seconds: length, begin } = request.query;
    const pool = poolNamed(pools, name);
    const clients = wholeNumber(count, pool?.options.max ?? 0);
    const seconds = wholeNumber(length, MAX_SECONDS);
    if (!pool) {
      response.status(400).json({ error: `pool must be one of: ${Object.keys(pools).join(", ")}` });
    } else if (!clients) {
      response.status(400).json({ error: `clients must be a whole number from 1 to ${pool.options.max}` });
    } else if (!seconds) {
      response.status(400).json({ error: `seconds must be a whole number from 1 to ${MAX_SECONDS}` });
    } else {
      const held = await take(pool, clients);
      if (begin === "true") await Promise.all(held.map((client) => client.query("BEGIN")));
      response.status(201).json({ pool: name, clients, seconds });
      const { signal: now } = early.get(pool) ?? new AbortController();
      await sleep(seconds * 1000, undefined, { signal: AbortSignal.any([signal, now]) }).catch(() => {});
      for (const client of held) await release(client, begin === "true");
    }
  };
  const giveBack: RequestHandler = (request, response) => {
    const pool = poolNamed(pools, request.query["pool"]);
    if (pool) early.get(pool)?.abort();
    if (pool) early.set(pool, new AbortController());
    response.status(pool ? 204 : 400).end();
  };
  for (const pool of Object.values(pools)) early.set(pool, new AbortController());
  return { hold, giveBack };
}

async function release(client: PoolClient, isInTransaction: boolean): Promise<void> {
  const failed = isInTransaction
    ? await client.query("ROLLBACK").then(
        () => false,
        () => true,
      )
    : false;
  client.release(failed);
}

/** All of them or none. */
async function take(pool: Pool, count: number): Promise<PoolClient[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => pool.connect()));
  const held = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (!failed) return held;
  for (const client of held) client.release();
  throw failed.reason;
}
