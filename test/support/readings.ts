import type { AssessedReading, DistributionSummary } from "../../src/index.ts";

const NOTHING: DistributionSummary = { count: 0, sum: 0 };

/** The fields of a reading that a test is about. */
export type ReadingParts = Partial<AssessedReading>;

/** A reading made by hand: of an idle pool of ten, but for what is given. */
export function poolReading(given: ReadingParts): AssessedReading {
  return {
    pool: "orders",
    timestamp: "2026-11-23T10:00:00.000Z",
    status: "healthy",
    condition: "ok",
    verdict: "orders: 0/10 in use",
    poolSize: 10,
    maxOverflow: 0,
    limit: 10,
    idleMin: 0,
    total: 0,
    idle: 0,
    used: 0,
    connecting: 0,
    waiting: 0,
    overflow: 0,
    capacity: 10,
    utilization: 0,
    oldestWaitSeconds: 0,
    waiterAgesSeconds: [],
    stalledSeconds: 0,
    held: { executing: 0, idleInTransaction: 0, idle: 0, lost: 0, kept: 0 },
    heldByWaiters: 0,
    suspects: [],
    longRunning: [],
    peakUsed: 0,
    peakWaiting: 0,
    requests: 0,
    shed: 0,
    shedding: false,
    connectFailingSeconds: 0,
    checkouts: 0,
    waits: 0,
    timeouts: 0,
    waitTimeouts: 0,
    dialTimeouts: 0,
    connects: 0,
    connectFailures: 0,
    connectFailuresByCause: {
      dialTimeout: 0,
      refused: 0,
      unreachable: 0,
      authentication: 0,
      tooManyConnections: 0,
      other: 0,
    },
    closes: 0,
    closesByReason: {} as AssessedReading["closesByReason"],
    leaks: 0,
    releasedInTransaction: 0,
    wait: NOTHING,
    use: NOTHING,
    create: NOTHING,
    reuse: NOTHING,
    ...given,
  };
}
