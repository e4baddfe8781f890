import fc from "fast-check";
import { expect, test } from "vitest";
import { AlertEngine } from "../../src/alerts/alert-engine.ts";
import { resolveAlerts } from "../../src/alerts/alert-settings.ts";
import { rulesFrom } from "../../src/alerts/rules.ts";
import type { Alert, AlertOptions, AlertRule } from "../../src/index.ts";
import { poolReading, type ReadingParts } from "../support/readings.ts";

const SAMPLE_MILLIS = 10_000;
const KNOBS = { leakAfterMillis: 60_000, slowQueryMillis: 1_000, stuckAfterMillis: 5_000 };

/** An engine whose samples are made by hand, ten seconds apart. */
function stage(alerts: AlertOptions = {}) {
  const told: Alert[] = [];
  const rules = rulesFrom(resolveAlerts(alerts, SAMPLE_MILLIS), KNOBS);
  const engine = new AlertEngine(
    rules,
    () => "shop",
    (alert) => told.push(alert),
  );
  let at = 0;
  return {
    engine,
    told,
    /** One sample: of `orders`, or of the pools given. */
    sample(...pools: ReadingParts[]): Alert[] {
      const before = told.length;
      engine.look(
        pools.map((pool) => poolReading({ pool: "orders", timestamp: timestamp(at), ...pool })),
        at,
      );
      at += SAMPLE_MILLIS;
      return told.slice(before);
    },
    /** A sample that was lost. */
    lose() {
      at += SAMPLE_MILLIS;
    },
  };
}

function timestamp(at: number): string {
  return new Date(Date.UTC(2026, 10, 23) + at).toISOString();
}

const said = (alerts: readonly Alert[]) => alerts.map(({ rule, state }) => `${rule} ${state}`);

/** Every rule, broken and mended. What stays in force for `samples` after the first one fires. */
const CASES: [
  AlertRule,
  samples: number,
  broken: ReadingParts,
  mended: ReadingParts,
  entered: string,
  left: string,
][] = [
  [
    "usage",
    2,
    { used: 8, total: 9, idle: 1, utilization: 0.8 },
    { used: 7, total: 9, idle: 2, utilization: 0.7 },
    "orders - usage high 80% (total=9, used=8, idle=1, waiting=0, max=10); raise max or look for long holds",
    "orders - usage back to normal 70% (total=9, used=7, idle=2, waiting=0, max=10)",
  ],
  [
    "overflow",
    0,
    { used: 7, total: 7, poolSize: 5, overflow: 2, utilization: 0.7 },
    { used: 5, total: 7, idle: 2, poolSize: 5, utilization: 0.5 },
    "orders - 2 in use beyond the pool size of 5 70% (total=7, used=7, idle=0, waiting=0, max=10)",
    "orders - none in use beyond the pool size of 5 any more 50% (total=7, used=5, idle=2, waiting=0, max=10)",
  ],
  [
    "waiting",
    2,
    { waiting: 4, oldestWaitSeconds: 2.25 },
    {},
    "orders - callers wait for long: 4 queued, the oldest for 2.3 s (total=0, used=0, idle=0, waiting=4, max=10); raise max or shorten holds",
    "orders - nobody waits any more (total=0, used=0, idle=0, waiting=0, max=10)",
  ],
  [
    "leaks",
    0,
    { suspects: [{ heldSeconds: 70, site: "src/reports.ts:41" }] },
    {},
    "orders - 1 suspected leak (total=0, used=0, idle=0, waiting=0, max=10); release connections in a finally block (leakAfterMillis=60000)",
    "orders - no suspected leaks any more (total=0, used=0, idle=0, waiting=0, max=10)",
  ],
  [
    "stuck",
    0,
    { condition: "stuck", stalledSeconds: 5, verdict: "orders: 1/1 in use; stuck: …" },
    { verdict: "orders: 0/1 in use" },
    "orders - stuck (orders: 1/1 in use; stuck: …)",
    "orders - no longer stuck (orders: 0/1 in use)",
  ],
  [
    "stuck",
    0,
    { condition: "self_deadlock", verdict: "orders: 2/2 in use" },
    { verdict: "orders: 0/2 in use" },
    "orders - self deadlock (orders: 2/2 in use)",
    "orders - no longer self deadlock (orders: 0/2 in use)",
  ],
  [
    "down",
    1,
    { condition: "authentication_failed", connectFailing: "authentication", verdict: "orders: 0/2 in use" },
    { verdict: "orders: 1/2 in use" },
    "orders - authentication failed (orders: 0/2 in use)",
    "orders - no longer authentication failed (orders: 1/2 in use)",
  ],
  [
    "eventLoop",
    0,
    { condition: "event_loop_stalled", verdict: "orders: 0/2 in use; blocked" },
    { verdict: "orders: 0/2 in use" },
    "orders - event loop stalled (orders: 0/2 in use; blocked)",
    "orders - no longer event loop stalled (orders: 0/2 in use)",
  ],
];

test.each(CASES)(
  "%s fires after %i more samples and is resolved",
  (rule, samples, broken, mended, entered, left) => {
    const { sample, engine } = stage();
    for (let before = 0; before < samples; before++) {
      expect(sample(broken)).toEqual([]);
      expect(engine.list()).toMatchObject([{ rule, state: "pending", summary: entered }]);
    }
    const [fired, ...others] = sample(broken);
    expect(others).toEqual([]);
    expect(fired).toMatchObject({ pool: "orders", service: "shop", rule, state: "firing", summary: entered });
    expect(fired?.since).toBe(timestamp(0));
    expect(Object.isFrozen(fired)).toBe(true);
    expect(engine.list()).toEqual([fired]);
    expect(sample(broken)).toEqual([]);
    const [resolved, ...more] = sample(mended);
    expect(more).toEqual([]);
    expect(resolved).toMatchObject({
      rule,
      state: "resolved",
      resolution: "recovered",
      severity: fired?.severity,
      since: timestamp(0),
      resolvedAt: timestamp((samples + 2) * SAMPLE_MILLIS),
      summary: left,
    });
    expect(Object.isFrozen(resolved)).toBe(true);
    expect(engine.list()).toEqual([]);
  },
);

test.each([
  [
    "timeouts",
    "timeouts",
    1,
    "orders - 1 caller gave up within 60 s (since the watch began 1 waiting, ",
    "orders - no caller gave up within 60 s (",
  ],
  [
    "connectFailures",
    "connectFailures",
    3,
    "orders - 3 failed attempts to connect within 60 s (",
    "orders - no failed attempt to connect within 60 s (",
  ],
  [
    "slowQueries",
    "slowQueries",
    10,
    "orders - 10 slow queries within 60 s (slowQueryMillis=1000); see ",
    "orders - no slow query within 60 s (slowQueryMillis=1000)",
  ],
] as const)(
  "%s fires when it has grown enough within a minute, and is resolved when it has not for one",
  (rule, field, enter, entered, left) => {
    const { sample } = stage();
    const counted = (count: number): ReadingParts => ({
      [field]: count,
      ...(rule === "timeouts" && { waitTimeouts: count }),
    });
    expect(stage().sample(counted(enter - 1))).toEqual([]);
    const [fired] = sample(counted(enter));
    expect(fired).toMatchObject({ rule, state: "firing", value: enter, threshold: enter });
    expect(fired?.summary.startsWith(entered)).toBe(true);
    for (let quiet = 10; quiet < 60; quiet += 10) expect(sample(counted(enter))).toEqual([]);
    const [resolved] = sample(counted(enter));
    expect(resolved).toMatchObject({
      rule,
      state: "resolved",
      value: 0,
      threshold: rule === "slowQueries" ? 5 : 1,
    });
    expect(resolved?.summary.startsWith(left)).toBe(true);
  },
);

test("what was counted long ago does not add up", () => {
  const { sample, told } = stage();
  for (let count = 0; count < 20; count++) {
    sample({ connectFailures: count });
    for (let quiet = 0; quiet < 6; quiet++) sample({ connectFailures: count });
  }
  expect(told).toEqual([]);
});

test("counters that begin anew do not fire", () => {
  const { sample, told } = stage({ timeouts: { enter: 5 } });
  sample({ timeouts: 4 });
  sample({ timeouts: 1 });
  sample({ timeouts: 0 });
  sample({ timeouts: 4 });
  expect(told).toEqual([]);
  expect(said(sample({ timeouts: 5 }))).toEqual(["timeouts firing"]);
});

test("a sample that was lost neither fires nor resolves", () => {
  const { sample, lose, told } = stage();
  sample({ utilization: 0.9 });
  for (let lost = 0; lost < 5; lost++) lose();
  expect(told).toEqual([]);
  expect(said(sample({ utilization: 0.9 }))).toEqual(["usage firing"]);
  for (let lost = 0; lost < 5; lost++) lose();
  expect(told).toHaveLength(1);
  expect(said(sample({ utilization: 0.1 }))).toEqual(["usage resolved"]);
});

test("while the event loop is blocked, waits and stuck pools are as they were", () => {
  const { sample, engine } = stage();
  const stuck: ReadingParts = { condition: "stuck", stalledSeconds: 9 };
  expect(said(sample(stuck))).toEqual(["stuck firing"]);
  const blocked = { condition: "event_loop_stalled", oldestWaitSeconds: 9 } as const;
  expect(said(sample(blocked))).toEqual(["eventLoop firing"]);
  for (let samples = 0; samples < 4; samples++) expect(sample(blocked)).toEqual([]);
  expect(said(engine.list())).toEqual(["stuck firing", "eventLoop firing"]);
  expect(said(sample({}))).toEqual(["stuck resolved", "eventLoop resolved"]);
});

const failing = (connectFailures: number): ReadingParts => ({
  condition: "server_unreachable",
  connectFailing: "refused",
  connectFailures,
});

test("one outage is one alert: its failed attempts are not told again, unless `down` is switched off", () => {
  const both = stage();
  for (const count of [5, 10, 15]) both.sample(failing(count));
  expect(said(both.told)).toEqual(["down firing"]);
  expect(said(both.sample({ connectFailures: 17 }))).toEqual(["down resolved"]);
  expect(both.sample({ connectFailures: 19 })).toEqual([]);
  expect(said(both.sample({ connectFailures: 20 }))).toEqual(["connectFailures firing"]);
  const one = stage({ down: false });
  expect(said(one.sample(failing(5)))).toEqual(["connectFailures firing"]);
});

test("attempts that fail for shorter than `down` needs add up", () => {
  const { sample } = stage();
  for (const count of [1, 2]) {
    expect(sample(failing(count))).toEqual([]);
    expect(sample({ connectFailures: count })).toEqual([]);
  }
  sample(failing(3));
  expect(said(sample({ connectFailures: 3 }))).toEqual(["connectFailures firing"]);
});

test("a rule that is switched off says nothing", () => {
  const { sample, told } = stage({ usage: false, leaks: false });
  for (let samples = 0; samples < 5; samples++) sample({ utilization: 1, suspects: [{ heldSeconds: 99 }] });
  expect(told).toEqual([]);
});

test("pools do not mix; one that is gone resolves what it had broken, pending or not", () => {
  const { sample, engine } = stage();
  const full = { utilization: 1 };
  for (let samples = 0; samples < 2; samples++) sample({ pool: "a", ...full }, { pool: "b" });
  expect(said(sample({ pool: "a", ...full }, { pool: "b", ...full }))).toEqual(["usage firing"]);
  expect(engine.list("b")).toMatchObject([{ rule: "usage", state: "pending" }]);
  const [resolved, ...others] = sample({ pool: "b", ...full });
  expect(others).toEqual([]);
  expect(resolved).toMatchObject({ pool: "a", state: "resolved", resolution: "unwatched", value: 1 });
  expect(resolved?.summary).toMatch(/^a - no longer watched; it was: usage high 100% \(/);
  expect(said(sample())).toEqual([]);
  expect(engine.list()).toEqual([]);
});

test("the end of the scope resolves what fires", () => {
  const { sample, engine, told } = stage();
  sample({ suspects: [{ heldSeconds: 99 }] });
  engine.end();
  engine.end();
  expect(told.slice(1)).toMatchObject([{ rule: "leaks", state: "resolved", resolution: "shutdown" }]);
  expect(told[1]?.summary).toMatch(/^orders - the scope was shut down; it was: 1 suspected leak/);
});

test("who is told may let go of the pool: nothing is lost or told out of order", () => {
  const told: Alert[] = [];
  const engine: AlertEngine = new AlertEngine(
    rulesFrom(resolveAlerts({}, 0), KNOBS),
    () => undefined,
    (alert) => {
      told.push(alert);
      engine.forget("orders");
    },
  );
  engine.look([poolReading({ utilization: 1, suspects: [{ heldSeconds: 99 }] })], 0);
  expect(said(told)).toEqual(["usage firing", "leaks firing", "usage resolved", "leaks resolved"]);
});

test("for any samples: never early, never between the thresholds, resolved exactly once", () => {
  const step = fc.record({
    utilization: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0.75, 0.8)),
    millis: fc.integer({ min: 1, max: 30_000 }),
    kind: fc.constantFrom("seen", "seen", "seen", "seen", "lost", "gone"),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 60_000 }),
      (steps, forMillis) => {
        const told: Alert[] = [];
        const only = { overflow: false, waiting: false } as const;
        const rules = rulesFrom(resolveAlerts({ ...only, usage: { forMillis } }, SAMPLE_MILLIS), KNOBS);
        const engine = new AlertEngine(
          rules,
          () => undefined,
          (alert) => told.push(alert),
        );
        let at = 0;
        let highSince: number | undefined;
        let isFiring = false;
        for (const { utilization, millis, kind } of steps) {
          at += millis;
          const before = told.length;
          if (kind === "lost") continue;
          if (kind === "gone") {
            engine.look([], at);
            expect(said(told.slice(before))).toEqual(isFiring ? ["usage resolved"] : []);
            isFiring = false;
            highSince = undefined;
            continue;
          }
          engine.look([poolReading({ pool: "orders", utilization })], at);
          highSince = utilization >= 0.8 ? (highSince ?? at) : undefined;
          const news = said(told.slice(before));
          if (isFiring) {
            expect(news).toEqual(utilization < 0.75 ? ["usage resolved"] : []);
            isFiring = utilization >= 0.75;
          } else {
            const isDue = highSince !== undefined && at - highSince >= forMillis;
            expect(news).toEqual(isDue ? ["usage firing"] : []);
            isFiring = isDue;
          }
        }
        engine.end();
        const states = told.map(({ state }) => state);
        expect(states).toEqual(states.map((_, index) => (index % 2 === 0 ? "firing" : "resolved")));
        expect(states.length % 2).toBe(0);
      },
    ),
  );
});

test("for any counts: an increase within the window fires, whatever the sampling, and restarts never do", () => {
  const step = fc.record({
    more: fc.oneof(fc.constant(0), fc.nat(3)),
    millis: fc.integer({ min: 1, max: 90_000 }),
    restarts: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const told: Alert[] = [];
      const rules = rulesFrom(resolveAlerts({}, SAMPLE_MILLIS), KNOBS);
      const engine = new AlertEngine(
        rules,
        () => undefined,
        (alert) => told.push(alert),
      );
      let [at, count, grownAt] = [0, 0, Number.NEGATIVE_INFINITY];
      let isFiring = false;
      for (const { more, millis, restarts } of steps) {
        at += millis;
        const isRestart = restarts && count > 0;
        const grows = more > 0 && !isRestart;
        count = isRestart ? 0 : count + more;
        // What had grown before a restart is forgotten with it.
        if (grows) grownAt = at;
        if (isRestart) grownAt = Number.NEGATIVE_INFINITY;
        engine.look([poolReading({ pool: "orders", timeouts: count })], at);
        const wasFiring = isFiring;
        isFiring = engine.list().length > 0;
        if (grows) expect(isFiring).toBe(true);
        // A window is kept in sixty parts.
        if (at - grownAt >= 61_000) expect(isFiring).toBe(false);
        if (isFiring && !wasFiring) expect(grows).toBe(true);
      }
    }),
  );
});
