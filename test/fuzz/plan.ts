import type { RecycleOptions } from "../../src/index.ts";
import { seeded } from "../support/random.ts";

/** What an application does wrong, each at most a few times in a run. */
const FAULTS = [
  "constructor-throws",
  "connect-throws",
  "connect-hangs",
  "hook-rejects",
  "hook-throws",
  "hook-hangs",
  "verify-fails",
  "verify-hangs",
  "connect-listener-throws",
  "acquire-listener-throws",
  "release-listener-throws",
  "remove-listener-throws",
  "callback-throws",
] as const;
export type Fault = (typeof FAULTS)[number];

/** How new connections fare. Codes are errors of the dial itself, and of the server's answer to the startup packet. */
const LINK_MODES = [
  "pass",
  "refused",
  "silent",
  "reset-accept",
  "reset-handshake",
  "slow",
  "paused",
  "blackhole",
  "53300",
  "57P03",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENOTFOUND",
  "ENOENT",
] as const;
export type LinkMode = (typeof LINK_MODES)[number];

/** What happens to the connections that are open when the link changes. */
export type Standing = "kept" | "reset" | "frozen" | "half-closed";
/** What becomes of silent connections when the server is well again. */
export type Residue = "reset" | "thawed" | "left";

const USES = [
  "select",
  "two selects",
  "transaction",
  "failing statement",
  "slow statement",
  "overlong statement",
  "left in a transaction",
  "left running",
  "released as broken",
  "released with an error",
  "released twice",
] as const;
export type Use = (typeof USES)[number];

export interface CallerPlan {
  readonly by: "connect" | "connect callback" | "query" | "query callback";
  readonly use: Use;
  readonly holdMillis: number;
}

export type Step =
  | { readonly do: "burst"; readonly callers: readonly CallerPlan[] }
  | { readonly do: "pause"; readonly millis: number }
  | {
      readonly do: "link";
      readonly mode: LinkMode;
      readonly standing: Standing;
      readonly delayMillis: number;
    }
  | { readonly do: "terminate" }
  | { readonly do: "warm"; readonly connections: number }
  | { readonly do: "flush" }
  | { readonly do: "stop" }
  | { readonly do: "recycle" }
  | { readonly do: "watch" }
  | { readonly do: "unwatch" }
  | { readonly do: "settle"; readonly residue: Residue }
  | { readonly do: "end"; readonly how: "end" | "drain" };

export interface PoolPlan {
  readonly max: number;
  readonly min: number;
  readonly connectionTimeoutMillis: number;
  readonly idleTimeoutMillis: number;
  readonly query_timeout: number;
  readonly maxUses?: number;
  readonly maxLifetimeSeconds: number;
  readonly allowExitOnIdle: boolean;
}

/** One run, decided by its seed alone. */
export interface Plan {
  readonly seed: number;
  readonly pool: PoolPlan;
  readonly recycle: RecycleOptions;
  readonly watch: "never" | "first" | "after";
  readonly faults: readonly { readonly fault: Fault; readonly after: number; readonly times: number }[];
  readonly steps: readonly Step[];
}

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const random = seeded(Math.imul(seed, 2_654_435_761));
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const chance = (share: number) => random() < share;
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));

  const max = pick(1, 1, 2, 2, 3, 4, 5, 10);
  const pool: PoolPlan = {
    max,
    min: chance(0.7) ? 0 : between(1, max),
    connectionTimeoutMillis: pick(0, 0, 0, 250, 250, 400, 400, 1_500),
    idleTimeoutMillis: pick(0, 30, 200, 10_000, 10_000),
    query_timeout: pick(200, 300, 400),
    ...(chance(0.2) && { maxUses: between(1, 5) }),
    maxLifetimeSeconds: pick(0, 0, 0, 0, 1),
    allowExitOnIdle: chance(0.2),
  };
  const recycle: RecycleOptions = {
    pingAfterIdleMillis: pick(0, 0, 5, 50, 500),
    pingTimeoutMillis: pick(50, 100, 250, 1_000),
    failuresToFlush: pick(0, 1, 2, 2),
    maxLifetimeSeconds: pick(0, 1, 3_600),
    keepAliveSeconds: pick(0, 0, 1),
    transactionAtRelease: pick("rollback", "rollback", "destroy", "ignore"),
    busyTimeoutMillis: pick(20, 100, 300, 5_000),
    halfOpenGraceMillis: pick(20, 100, 500),
    keepOnSqlError: chance(0.8),
    dialRetryMillis: pick(0, 300, 600, 600, 1_000),
    codedTimeouts: chance(0.7),
    ...(chance(0.2) && { maxWaiting: pick(0, 3, 20) }),
  };

  const holdMillis = () => (chance(0.5) ? 0 : chance(0.05) ? between(700, 1_300) : between(1, 60));
  const caller = (): CallerPlan => ({
    by: pick("connect", "connect", "connect callback", "query", "query", "query callback"),
    use: chance(0.5) ? "select" : pick(...USES),
    holdMillis: holdMillis(),
  });
  const burst = (count: number): Step => ({ do: "burst", callers: Array.from({ length: count }, caller) });
  const someCallers = () =>
    burst(chance(0.4) ? 1 : chance(0.6) ? between(1, max + 3) : between(max, 4 * max + 8));
  const pause = (): Step => ({ do: "pause", millis: chance(0.7) ? between(0, 60) : between(60, 400) });
  const trouble = (): Step => ({
    do: "link",
    mode: pick(
      ...LINK_MODES.slice(1),
      "refused",
      "refused",
      "silent",
      "silent",
      "silent",
      "blackhole",
      "paused",
    ),
    standing: pick("kept", "reset", "reset", "frozen", "half-closed"),
    delayMillis: between(5, 60),
  });
  const anything = (): Step => {
    const what = random();
    if (what < 0.4) return someCallers();
    if (what < 0.6) return pause();
    if (what < 0.75) return trouble();
    if (what < 0.79) return { do: "link", mode: "pass", standing: "kept", delayMillis: 0 };
    if (what < 0.84) return { do: "terminate" };
    if (what < 0.89) return { do: "warm", connections: between(0, max) };
    if (what < 0.92) return { do: "flush" };
    if (what < 0.94) return { do: "stop" };
    if (what < 0.97) return { do: "recycle" };
    return { do: pick("watch", "unwatch") };
  };

  /** Trouble that lasts, with more callers than the pool has places: some of them outlast what is retried for them. */
  const outage = (): Step[] => {
    const lasting: Step = { do: "pause", millis: between(50, 500 + 0.8 * (recycle.dialRetryMillis ?? 0)) };
    const callers = chance(0.6) ? burst(between(max + 1, 3 * max + 4)) : someCallers();
    // The second kind of trouble meets dials that are made again because of the first.
    const more = chance(0.5) ? [trouble(), pause(), ...(chance(0.5) ? [trouble(), pause()] : [])] : [];
    return [trouble(), callers, ...(chance(0.3) ? [anything()] : []), lasting, ...more];
  };

  const steps: Step[] = [];
  if (chance(0.85)) steps.push(burst(between(1, max)), { do: "pause", millis: between(5, 40) });
  for (let rounds = between(1, 2); rounds > 0; rounds--) {
    if (chance(0.3)) steps.push(someCallers());
    if (chance(0.55)) steps.push(...outage());
    else if (chance(0.5)) steps.push(trouble());
    for (let count = between(0, 4); count > 0; count--) steps.push(anything());
    steps.push({ do: "settle", residue: pick("reset", "thawed", "left", "left") });
  }
  if (chance(0.3)) steps.push(someCallers());
  if (chance(0.15)) steps.push(trouble(), someCallers(), pause());
  steps.push({ do: "end", how: chance(0.4) ? "drain" : "end" });

  const faults = chance(0.5)
    ? []
    : Array.from({ length: between(1, 2) }, () => ({
        fault: pick(...FAULTS),
        after: between(0, 6),
        times: between(1, 2),
      }));
  return { seed, pool, recycle, watch: pick("never", "first", "after"), faults, steps };
}
