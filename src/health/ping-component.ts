import type { ComponentResult } from "../options.ts";
import type { Pings } from "../server/ping.ts";
import type { ComponentSettings } from "./components.ts";
import type { PingSettings } from "./health-settings.ts";

/** For the goodbye of a connection, beyond the deadline of its question. */
const GRACE_MILLIS = 500;

/** Whether the servers of all watched pools answer: a component like those of the application. */
export function pingComponent(
  pings: Pings,
  pools: () => readonly string[],
  { timeoutMillis, cacheMillis }: PingSettings,
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
    return {
      status: answered.every(([, { isReachable }]) => isReachable) ? "healthy" : "critical",
      pools: Object.fromEntries(entries),
    };
  };
  return { check, timeoutMillis: timeoutMillis + GRACE_MILLIS, cacheMillis, isNeeded: false };
}
