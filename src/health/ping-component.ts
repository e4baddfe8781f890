import type { ComponentResult } from "../options.ts";
import type { PingResult, Pings } from "../server/ping.ts";
import type { ComponentSettings } from "./components.ts";
import type { PingSettings } from "./health-settings.ts";

/** For closing the connection gracefully, beyond the deadline of its question. */
const GRACE_MILLIS = 500;

/** Whether the servers of all watched pools answer: a component like those of the application. */
export function pingComponent(
  pings: Pings,
  pools: () => readonly string[],
  { timeoutMillis, cacheMillis, isNeeded }: PingSettings,
): ComponentSettings {
  const check = async (): Promise<ComponentResult> => {
    const results = await Promise.all(
      pools().map(async (pool) => [pool, await pings.ping(pool, timeoutMillis, 0)] as const),
    );
    const answered = results.flatMap(([pool, result]) => (result ? [[pool, result] as const] : []));
    if (answered.length === 0) return { status: "unknown" };
    const entries = answered.map(([pool, { isReachable, seconds, code }]) => {
      return [pool, { is_reachable: isReachable, seconds, ...(code && { code }) }];
    });
    const failed = answered.filter(([, { isReachable }]) => !isReachable);
    return {
      status: statusOf(failed.map(([, result]) => result)),
      ...(failed.length > 0 && { message: failed.map(messageOf).join("; ") }),
      pools: Object.fromEntries(entries),
    };
  };
  const deadline = timeoutMillis + GRACE_MILLIS;
  return { check, timeoutMillis: deadline, cacheMillis, isNeeded, showsMessage: true };
}

/** A server without room for the ping may serve the pool well: what the pool lacks is in its own condition. */
function statusOf(failed: readonly PingResult[]): "healthy" | "warning" | "critical" {
  if (failed.length === 0) return "healthy";
  return failed.every(({ isFull }) => isFull) ? "warning" : "critical";
}

function messageOf([pool, { isFull, code }]: readonly [string, PingResult]): string {
  const event = isFull ? "no connection left for the ping" : "the server does not answer";
  return `${pool}: ${event}${code ? ` (${code})` : ""}`;
}
