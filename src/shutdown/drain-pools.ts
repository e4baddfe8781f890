import type { Logger } from "../logger.ts";
import { drain, type UnreturnedConnection } from "../pools/drain.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";

/** How long holders of connections are waited for. */
export interface DrainTime {
  /** What a shutdown allows for requests and holders together. */
  readonly timeoutMillis: number;
  /** What its requests have left of it. */
  readonly leftMillis: number;
}

/** Drains all pools at once, and logs where connections were taken that were not returned. Never rejects. */
export async function drainPools(
  pools: readonly WatchedPool[],
  { timeoutMillis, leftMillis }: DrainTime,
  logger: Logger,
): Promise<void> {
  await Promise.all(
    pools.map(async ({ name, pool }) => {
      try {
        const { unreturned } = await drain(pool, { timeoutMillis: leftMillis });
        for (const connection of unreturned) {
          logger.warn(
            `${name} - a connection was not returned within ${timeoutMillis} ms and was cut off${where(connection)}`,
          );
        }
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        logger.warn(`${name} - the pool could not be drained: ${reason}`);
      }
    }),
  );
}

function where({ site, heldSeconds, lastVerb }: UnreturnedConnection): string {
  const parts = [
    site && `checked out at ${site}`,
    heldSeconds !== undefined && `held for ${heldSeconds.toFixed(1)} s`,
    lastVerb && `last statement ${lastVerb}`,
  ].filter(Boolean);
  return parts.length > 0 ? `: ${parts.join(", ")}` : "";
}
