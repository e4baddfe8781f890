import { DIAL_TIMEOUT, WAIT_TIMEOUT } from "../watch/dial-failure.ts";
import type { PoolCounts } from "../watch/pool-counts.ts";
import type { PoolState } from "../watch/pool-state.ts";
import { type ObservableName, STATE_IDLE, STATE_USED } from "./semconv.ts";

/** A number; or one for each value of the metric's own attribute; or nothing, where that is not measured. */
export type Told = number | Iterable<readonly [label: string, value: number]> | undefined;

/** What each metric tells of a pool but its histograms: what it is doing, and what it has counted. */
export const NUMBERS: Readonly<Record<ObservableName, (state: PoolState, counts: PoolCounts) => Told>> = {
  count: ({ idle, used }) => [
    [STATE_IDLE, idle],
    [STATE_USED, used],
  ],
  limit: ({ limit }) => limit,
  idleMin: ({ idleMin }) => idleMin,
  idleMax: ({ limit }) => limit,
  pendingRequests: ({ waiting }) => waiting,
  size: ({ poolSize }) => poolSize,
  overflow: ({ overflow }) => overflow,
  checkedOut: ({ used }) => used,
  utilization: ({ utilization }) => utilization,
  connecting: ({ connecting }) => connecting,
  oldestWait: ({ waiterAgesSeconds }) => waiterAgesSeconds[0] ?? 0,
  totalWait: ({ waiterAgesSeconds }) => sum(waiterAgesSeconds),
  stalled: ({ stalledSeconds }) => stalledSeconds,
  held: ({ held }) => Object.entries(held),
  leaked: ({ suspects }) => suspects.length,
  peakUsed: ({ peakUsed }) => peakUsed,
  peakPending: ({ peakWaiting }) => peakWaiting,
  requests: (_, { requests }) => requests,
  checkouts: (_, { checkouts }) => checkouts,
  waits: (_, { waits }) => waits,
  timeouts: (_, { waitTimeouts, dialTimeouts }) => [
    [WAIT_TIMEOUT, waitTimeouts],
    [DIAL_TIMEOUT, dialTimeouts],
  ],
  connects: (_, { connects }) => connects,
  connectFailures: (_, { connectFailures }) => connectFailures.counts,
  closes: (_, { closes }) => closes,
  leaks: (_, { leaks }) => leaks,
  releasedInTransaction: (_, { releasedInTransaction }) => releasedInTransaction,
  shed: (_, { shed }) => shed,
  pings: (_, { recycling }) => recycling.pings,
  pingFailures: (_, { recycling }) => recycling.pingFailures,
  rejected: (_, { recycling }) => recycling.rejected,
  queryErrors: (_, { queries }) => queries?.errors.counts,
  slowQueries: (_, { queries }) => queries?.slow,
};

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
