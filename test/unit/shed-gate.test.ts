import fc from "fast-check";
import { expect, test } from "vitest";
import { ShedGate } from "../../src/middleware/shed-gate.ts";
import type { WatchedPool } from "../../src/watch/watched-pool.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test("any course of a queue: closed from either limit on, open from half of both down, and as it was between", () => {
  const course = fc.array(
    fc.record({ waiting: fc.nat(100), meanHoldSeconds: fc.double({ min: 0, max: 2, noNaN: true }) }),
  );
  const limits = fc.record({ maxWaiting: fc.integer({ min: 1, max: 80 }), maxWaitMillis: fc.nat(5000) });
  fc.assert(
    fc.property(
      course,
      limits,
      fc.integer({ min: 1, max: 20 }),
      (moments, { maxWaiting, maxWaitMillis }, limit) => {
        const pool = {
          waiting: 0,
          meanHoldSeconds: 0,
          limit,
          isOver: false,
          counts: { shed: 0 },
          guards: new Set(),
          countGone: () => 0,
        };
        const gate = new ShedGate(pool as unknown as WatchedPool, { maxWaiting, maxWaitMillis }, silent);
        let was = false;
        for (const { waiting, meanHoldSeconds } of moments) {
          Object.assign(pool, { waiting, meanHoldSeconds });
          const expectedMillis = (waiting * meanHoldSeconds * 1000) / limit;
          const isClosed = gate.isClosed();
          if (waiting === 0) expect(isClosed).toBe(false);
          else if (waiting >= maxWaiting || expectedMillis > maxWaitMillis) expect(isClosed).toBe(true);
          else if (waiting < maxWaiting / 2 && expectedMillis <= maxWaitMillis / 2)
            expect(isClosed).toBe(false);
          else expect(isClosed).toBe(was);
          was = isClosed;
        }
      },
    ),
  );
});
