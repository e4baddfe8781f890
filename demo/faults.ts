import type { Request, RequestHandler, Response } from "express";
import type { Pool } from "pg";
import type { Pools } from "./pools.ts";

const MAX_TIMES = 10_000;

/** `POST ?pool=orders&times=50` sends statements that fail, one after the other. */
export function failRoute(pools: Pools): RequestHandler {
  return repeat(pools, async (pool) => {
    await pool.query("SELECT 1 / 0").catch((error) => {
      if (error.code !== "22012") throw error;
    });
  });
}

/** `POST ?pool=orders&times=50` takes connections and has each of them closed on return. */
export function churnRoute(pools: Pools): RequestHandler {
  return repeat(pools, async (pool) => (await pool.connect()).release(true));
}

function repeat(pools: Pools, once: (pool: Pool) => Promise<void>): RequestHandler {
  return async (request: Request, response: Response) => {
    const pool = poolNamed(pools, request.query["pool"]);
    const times = wholeNumber(request.query["times"], MAX_TIMES);
    if (!pool) {
      response.status(400).json({ error: `pool must be one of: ${Object.keys(pools).join(", ")}` });
    } else if (!times) {
      response.status(400).json({ error: `times must be a whole number from 1 to ${MAX_TIMES}` });
    } else {
      for (let time = 0; time < times; time++) await once(pool);
      response.json({ times });
    }
  };
}

export function poolNamed(pools: Pools, name: unknown): Pool | undefined {
  return name === "orders" || name === "reports" ? pools[name] : undefined;
}

export function wholeNumber(value: unknown, max: number): number | undefined {
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : 0;
  return number >= 1 && number <= max ? number : undefined;
}
