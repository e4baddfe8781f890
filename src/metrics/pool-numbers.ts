import type { Attributes } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import type { Activity } from "../watch/connection.ts";
import { DIAL_TIMEOUT, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import type { PoolState } from "../watch/pool-state.ts";
import type { WatchedPool } from "../watch/watched-pool.ts";
import { METRICS, type ObservableName, STATE_IDLE, STATE_USED } from "./semconv.ts";

/** Hears one number of one pool. @param label The value of the metric's own attribute, where it has one */
export type Say = (metric: ObservableName, value: number, label?: string) => void;

/** Says every number of a pool but its histograms: what it is doing, and what it has counted. */
export function sayNumbers(pool: WatchedPool, state: PoolState, say: Say): void {
  sayState(state, say);
  sayCounts(pool, say);
}

function sayState(state: PoolState, say: Say): void {
  say("count", state.idle, STATE_IDLE);
  say("count", state.used, STATE_USED);
  say("limit", state.limit);
  say("idleMin", state.idleMin);
  say("idleMax", state.limit);
  say("pendingRequests", state.waiting);
  say("size", state.poolSize);
  say("overflow", state.overflow);
  say("checkedOut", state.used);
  say("utilization", state.utilization);
  say("connecting", state.connecting);
  say("oldestWait", state.waiterAgesSeconds[0] ?? 0);
  say("totalWait", sum(state.waiterAgesSeconds));
  say("stalled", state.stalledSeconds);
  for (const activity in state.held) say("held", state.held[activity as Activity], activity);
  say("leaked", state.suspects.length);
  say("peakUsed", state.peakUsed);
  say("peakPending", state.peakWaiting);
}

function sayCounts(pool: WatchedPool, say: Say): void {
  say("requests", pool.requests);
  say("checkouts", pool.checkouts);
  say("waits", pool.waits);
  say("timeouts", pool.waitTimeouts, WAIT_TIMEOUT);
  say("timeouts", pool.dialTimeouts, DIAL_TIMEOUT);
  say("connects", pool.connects);
  for (const [type, count] of pool.connectFailures) say("connectFailures", count, type);
  for (const [reason, count] of pool.closes) say("closes", count, reason);
  say("leaks", pool.leaks);
  say("releasedInTransaction", pool.releasedInTransaction);
  say("shed", pool.shed);
  say("pings", pool.recycling.pings);
  say("pingFailures", pool.recycling.pingFailures);
  say("rejected", pool.recycling.rejected);
  if (!pool.queries) return;
  for (const [type, count] of pool.queries.errors) say("queryErrors", count, type);
  say("slowQueries", pool.queries.slow);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The attribute objects of one pool, made once: each collection gives the same ones. */
export class PoolAttributes {
  readonly #base: Attributes;
  readonly #labelled = new Map<string, Map<string, Attributes>>();

  constructor(base: Attributes) {
    this.#base = base;
  }

  of(metric: ObservableName, label: string | undefined): Attributes {
    const key = METRICS[metric].attributes?.[0];
    if (key === undefined || label === undefined) return this.#base;
    return this.#labelled.get(key)?.get(label) ?? this.#make(key, label);
  }

  #make(key: string, label: string): Attributes {
    const attributes = withLabels(this.#base, { [key]: label });
    getOrCreate(this.#labelled, key, () => new Map()).set(label, attributes);
    return attributes;
  }
}

/** Not by spread: V8 then gives each of these objects a hidden class of its own, 6 KiB for the fifty of a pool. */
export function withLabels(base: Attributes, labels: Attributes): Attributes {
  return Object.assign({}, base, labels);
}
