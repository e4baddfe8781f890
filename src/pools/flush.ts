import { insideOf, isConnected, isIdle, remove } from "../pg/pool-inside.ts";
import { decide } from "../watch/close-reason.ts";
import type { PgPool } from "../watch/pg-types.ts";

/**
 * Replaces all connections of a pool without an outage: after a change of DNS, of a role's settings or of a schema. Idle
 * ones are closed now, those in use when they are released; whoever asks meanwhile gets a new one.
 *
 * @returns How many connections are or will be closed
 * @throws PoolscopeError `POOLSCOPE_INVALID_POOL`
 */
export function flush(pool: PgPool): number {
  const inside = insideOf(pool);
  let flushed = 0;
  for (const client of [...inside._clients]) {
    // Still being opened: it is new.
    if (!isConnected(client)) continue;
    flushed++;
    decide(client, "flushed");
    // Read each time: closing one may have another handed out.
    if (isIdle(inside, client)) remove(inside, client);
    // pg-pool closes a client it finds here when it is released.
    else inside._expired.add(client);
  }
  return flushed;
}
