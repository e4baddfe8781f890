import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { hostname } from "node:os";
import { inspect } from "node:util";
import {
  type Context,
  type ContextManager,
  context,
  createContextKey,
  ROOT_CONTEXT,
} from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import express from "express";
import type pg from "pg";
import request from "supertest";
import { expect, inject, test, vi } from "vitest";
import {
  type Alert,
  type DeliveryOptions,
  type Notifier,
  type PoolscopeOptions,
  pagerDuty,
  slack,
  webhook,
} from "../../src/index.ts";
import { scrape } from "../support/exported.ts";
import { makePool, makeScope } from "../support/pools.ts";
import {
  closeSocket,
  endless,
  garbage,
  hang,
  startReceiver,
  startSilence,
  status,
} from "../support/receiver.ts";
import { until } from "../support/until.ts";

const SWIFT: DeliveryOptions = {
  minBackoffMillis: 5,
  maxBackoffMillis: 20,
  timeoutMillis: 2_000,
  retries: 3,
};

class TestReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A scope whose pool of one connection is an alert as soon as that is held. */
function stage(notifiers: Notifier[], options: PoolscopeOptions = {}, name = "orders") {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const alerts = { usage: { forMillis: 0 }, eventLoop: false } as const;
  const scope = makeScope({
    serviceName: "shop",
    sampleIntervalMillis: 10,
    logger,
    alerts,
    notifiers,
    ...options,
  });
  const pool = makePool({ max: 1 });
  scope.watch(pool, { name });
  return {
    scope,
    pool,
    lines: () => Object.values(logger).flatMap((level) => level.mock.calls.flat()) as string[],
    /** Until `usage` fires. */
    async fire(of: pg.Pool = pool): Promise<() => Promise<void>> {
      const client = await of.connect();
      await until(() => scope.alerts().some(({ state }) => state === "firing"));
      return async () => {
        client.release();
        await until(() => scope.alerts().length === 0);
      };
    },
    async counts(notifier: string) {
      const { all } = await scrape(scope);
      const count = (what: string) =>
        all.find(
          ({ name, labels }) => name === `poolscope_alerts_${what}_total` && labels["notifier"] === notifier,
        )?.value;
      return { sent: count("sent"), failed: count("failed"), dropped: count("dropped") };
    },
  };
}

const TIMESTAMP = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test("a webhook is sent JSON of version 1 when an alert fires, and when it is resolved", async () => {
  const receiver = await startReceiver();
  const headers = { Authorization: "Bearer token" };
  const { fire, counts } = stage([webhook(`${receiver.origin}/hook`, { headers })]);
  expect(await counts("webhook")).toEqual({ sent: 0, failed: 0, dropped: 0 });
  const mend = await fire();
  await mend();
  await until(() => receiver.received.length === 2);
  const [fired, resolved] = receiver.received;
  expect(fired).toMatchObject({
    method: "POST",
    path: "/hook",
    headers: { authorization: "Bearer token", "content-type": "application/json" },
  });
  const same = {
    version: 1,
    source: hostname(),
    pid: process.pid,
    pool: "orders",
    rule: "usage",
    severity: "warning",
    since: TIMESTAMP,
    service: "shop",
  };
  expect(fired?.body).toEqual({
    ...same,
    state: "firing",
    value: 1,
    threshold: 0.8,
    summary:
      "orders - usage high 100% (total=1, used=1, idle=0, waiting=0, max=1); raise max or look for long holds",
  });
  expect(resolved?.body).toEqual({
    ...same,
    state: "resolved",
    value: 0,
    threshold: 0.75,
    resolvedAt: TIMESTAMP,
    resolution: "recovered",
    summary: "orders - usage back to normal 0% (total=1, used=0, idle=1, waiting=0, max=1)",
  });
  await until(async () => (await counts("webhook")).sent === 2);
});

test("headers of a webhook may say what the JSON is", async () => {
  const receiver = await startReceiver();
  const headers = { "Content-Type": "application/vnd.shop+json" };
  const { fire } = stage([webhook(receiver.origin, { ...SWIFT, headers })]);
  await fire();
  await until(() => receiver.received.length === 1);
  expect(receiver.received[0]?.headers["content-type"]).toBe("application/vnd.shop+json");
});

test("Slack is sent text within its limits, and nothing in it is markup", async () => {
  const receiver = await startReceiver();
  const name = `<!channel> ${"&".repeat(109)}`;
  const { fire } = stage([slack(`${receiver.origin}/services/T0/B0/x`)], {}, name);
  const mend = await fire();
  await mend();
  await until(() => receiver.received.length === 2);
  const [fired, resolved] = receiver.received.map(({ body }) => body);
  expect(fired.text).toMatch(/^\[FIRING\] &lt;!channel&gt; (&amp;){109} - usage high 100% \(/);
  expect(resolved.text).toMatch(/^\[RESOLVED\] &lt;!channel&gt; (&amp;){109} - usage back to normal 0% \(/);
  for (const { text, blocks } of [fired, resolved]) {
    const [section, facts] = blocks;
    expect(section).toEqual({ type: "section", text: { type: "mrkdwn", text } });
    expect(facts.elements[0].text).toMatch(
      /^usage of &lt;!channel&gt; .* · warning · service shop · since 20/,
    );
    for (const written of [text, facts.elements[0].text]) {
      expect(written.length).toBeLessThanOrEqual(3_000);
      expect(written).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
    }
  }
});

test("PagerDuty is sent an event that triggers, and one of the same key that resolves", async () => {
  const receiver = await startReceiver(status(202));
  const routingKey = "0123456789abcdef0123456789abcdef";
  const { fire } = stage([pagerDuty(routingKey, { url: `${receiver.origin}/v2/enqueue`, source: "web-1" })]);
  const mend = await fire();
  await mend();
  await until(() => receiver.received.length === 2);
  const [trigger, resolve] = receiver.received.map(({ body }) => body);
  expect(trigger).toEqual({
    routing_key: routingKey,
    event_action: "trigger",
    dedup_key: "poolscope/shop/orders/usage",
    client: "poolscope",
    payload: {
      summary: expect.stringMatching(/^orders - usage high 100% \(/),
      source: "web-1",
      severity: "warning",
      timestamp: TIMESTAMP,
      component: "orders",
      group: "shop",
      class: "usage",
      custom_details: {
        pool: "orders",
        rule: "usage",
        value: 1,
        threshold: 0.8,
        since: TIMESTAMP,
        service: "shop",
      },
    },
  });
  expect(resolve).toEqual({ routing_key: routingKey, event_action: "resolve", dedup_key: trigger.dedup_key });
});

test("what is longer than PagerDuty takes is cut: whole characters, a key that stays the same", async () => {
  const receiver = await startReceiver(status(202));
  const { scope } = stage([]);
  await scope.shutdown();
  const notifier = pagerDuty("key", { url: receiver.origin });
  const alert: Alert = {
    pool: "💧".repeat(60),
    rule: "down",
    severity: "critical",
    state: "firing",
    value: 1,
    threshold: 1,
    since: "2026-11-23T10:00:00.000Z",
    service: "s".repeat(255),
    summary: "💧".repeat(2_000),
  };
  const { signal } = new AbortController();
  await notifier.notify(alert, signal);
  await notifier.notify({ ...alert, state: "resolved" }, signal);
  const [trigger, resolve] = receiver.received.map(({ body }) => body);
  expect(trigger.payload.summary).toBe(`${"💧".repeat(511)}…`);
  expect(trigger.dedup_key).toMatch(/^poolscope\/[0-9a-f]{64}$/);
  expect(resolve.dedup_key).toBe(trigger.dedup_key);
  expect(Buffer.byteLength(JSON.stringify(trigger))).toBeLessThan(512 * 1024);
});

test("a receiver that fails is tried again, later each time; what comes after waits for its turn", async () => {
  const receiver = await startReceiver(status(500), closeSocket, garbage, status(200));
  const notifier = webhook(receiver.origin, { ...SWIFT, minBackoffMillis: 50, maxBackoffMillis: 500 });
  const { fire, counts, lines } = stage([notifier]);
  const mend = await fire();
  await mend();
  await until(() => receiver.received.length === 5);
  expect(receiver.received.map(({ body }) => body.state)).toEqual([...Array(4).fill("firing"), "resolved"]);
  const times = receiver.received.map(({ at }) => at);
  // At least the back-off, which doubles.
  for (const [tries, millis] of [50, 100, 200].entries()) {
    expect(times[tries + 1]! - times[tries]!).toBeGreaterThanOrEqual(millis - 1);
  }
  await until(async () => (await counts("webhook")).sent === 2);
  expect(await counts("webhook")).toEqual({ sent: 2, failed: 0, dropped: 0 });
  expect(lines().filter((line) => line.startsWith("poolscope - "))).toEqual([]);
});

test.each([
  ["seconds", () => "1", {}, 1_000, 3_000],
  ["a date", () => new Date(Date.now() + 2_000).toUTCString(), {}, 900, 4_000],
  [
    "an hour, of which no more is waited than was allowed",
    () => "3600",
    { maxRetryAfterMillis: 60 },
    60,
    3_000,
  ],
  ["nonsense", () => "soon", {}, 0, 1_000],
])("Retry-After is honoured: %s", async (_, retryAfter, options, least, most) => {
  const receiver = await startReceiver(status(429, { "Retry-After": retryAfter() }), status(200));
  const { fire, counts } = stage([webhook(receiver.origin, { ...SWIFT, ...options })]);
  await fire();
  await until(() => receiver.received.length === 2);
  const [first, second] = receiver.received;
  const waited = second!.at - first!.at;
  expect(waited).toBeGreaterThanOrEqual(least);
  expect(waited).toBeLessThan(most);
  await until(async () => (await counts("webhook")).sent === 1);
});

test.each([400, 401, 404, 302])(
  "what is refused with %i is not sent again, nor anywhere else",
  async (code) => {
    const elsewhere = await startReceiver();
    const receiver = await startReceiver(
      status(code, { Location: elsewhere.origin, "Retry-After": "1" }),
      status(200),
    );
    const { fire, counts, lines } = stage([webhook(receiver.origin, SWIFT)]);
    const mend = await fire();
    await mend();
    await until(async () => (await counts("webhook")).sent === 1);
    expect(await counts("webhook")).toEqual({ sent: 1, failed: 1, dropped: 0 });
    expect(receiver.received.map(({ body }) => body.state)).toEqual(["firing", "resolved"]);
    expect(elsewhere.received).toEqual([]);
    expect(lines()).toContain(
      `poolscope - webhook could not be told that usage of orders is firing: answered ${code} (1 attempt)`,
    );
  },
);

test("a receiver that never answers is given up; samples, readings and health go on meanwhile", async () => {
  const origins = [(await startReceiver(hang)).origin, await startSilence()];
  const notifiers = origins.map((origin, index) =>
    webhook(origin, { ...SWIFT, name: `dead-${index}`, timeoutMillis: 300, retries: 1 }),
  );
  const { scope, fire, counts, lines } = stage(notifiers);
  await fire();
  const samples = scope.history("orders", 100).length;
  await until(() => scope.history("orders", 100).length > samples + 5);
  expect(await scope.readings()).toHaveLength(1);
  expect((await counts("dead-0")).failed).toBe(0);
  for (const name of ["dead-0", "dead-1"]) {
    await until(async () => (await counts(name)).failed === 1);
    expect(lines()).toContain(
      `poolscope - ${name} could not be told that usage of orders is firing: no answer within 300 ms (2 attempts)`,
    );
  }
});

test("nobody listens; an answer that never ends", async () => {
  const receiver = await startReceiver(endless);
  const { fire, counts, lines } = stage([
    webhook("http://127.0.0.1:1", { ...SWIFT, name: "nobody" }),
    webhook(receiver.origin, { ...SWIFT, name: "endless" }),
  ]);
  await fire();
  await until(async () => (await counts("endless")).sent === 1);
  await until(async () => (await counts("nobody")).failed === 1);
  expect(lines().join("\n")).toMatch(/nobody could not be told .*: \w+ \(4 attempts\)/);
});

test("milder alerts than `minSeverity` are not told; notifiers do not wait for each other", async () => {
  const [slow, all] = [await startReceiver(hang), await startReceiver()];
  const { scope } = stage([
    webhook(slow.origin, { name: "slow" }),
    webhook(all.origin, { name: "all", minSeverity: "info" }),
    webhook(all.origin, { name: "bad", minSeverity: "error" }),
  ]);
  const pool = makePool({ max: 10, min: 1 });
  scope.watch(pool, { name: "reports", poolSize: 1 });
  await Promise.all([pool.connect(), pool.connect()]);
  await until(() => all.received.length === 1);
  expect(all.received[0]?.body).toMatchObject({ pool: "reports", rule: "overflow", severity: "info" });
  await scope.shutdown({ timeoutMillis: 50 });
  expect(slow.received).toEqual([]);
  expect(all.received).toHaveLength(2);
});

test("a full queue drops what cancels out, then refuses the newest; who is told ends up right", async () => {
  const told: string[] = [];
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const notifier: Notifier = {
    name: "slow",
    delivery: { queueSize: 3, timeoutMillis: 60_000 },
    async notify({ pool, state }) {
      await gate;
      told.push(`${pool} ${state}`);
    },
  };
  const { scope, counts, lines } = stage([notifier]);
  const settled = (pools: number) => until(() => scope.alerts().length === pools);
  const pools = new Map(["a", "b", "c", "d"].map((name) => [name, makePool({ max: 1 })]));
  for (const [name, pool] of pools) scope.watch(pool, { name });
  const hold = async (name: string) => {
    const { length } = scope.alerts();
    const client = await pools.get(name)!.connect();
    await settled(length + 1);
    return async () => {
      const { length } = scope.alerts();
      client.release();
      await settled(length - 1);
    };
  };
  const mendA = await hold("a"); // under way
  const mendB = await hold("b");
  await hold("c");
  await mendA(); // full: b, c, a resolved
  await mendB(); // b resolved: cancels out with b firing
  expect(await counts("slow")).toMatchObject({ dropped: 2 });
  const mendD = await hold("d"); // full: c, a resolved, d
  await hold("b"); // nothing cancels out: refused
  expect(await counts("slow")).toEqual({ sent: 0, failed: 0, dropped: 3 });
  await mendD(); // cancels out with d firing
  expect(lines().filter((line) => line.includes("are dropped"))).toEqual([
    "poolscope - messages to slow are dropped: 3 are waiting already (queueSize=3); see poolscope.alerts.dropped",
  ]);
  letGo();
  await until(() => told.length === 3);
  expect(told).toEqual(["a firing", "c firing", "a resolved"]);
  await until(async () => (await counts("slow")).sent === 3);
  expect(await counts("slow")).toEqual({ sent: 3, failed: 0, dropped: 5 });
});

test("shutdown resolves what fires and sends it", async () => {
  const receiver = await startReceiver();
  const { scope, fire } = stage([webhook(receiver.origin)]);
  await fire();
  await scope.shutdown();
  expect(receiver.received.map(({ body }) => `${body.state} ${body.resolution ?? ""}`)).toEqual([
    "firing ",
    "resolved shutdown",
  ]);
});

test("shutdown waits for a dead receiver no longer than it may, and says what was not sent", async () => {
  const receiver = await startReceiver(hang);
  const deaf: Notifier = { name: "deaf", notify: () => new Promise(() => {}) };
  const busy = status(503, { "Retry-After": "30" });
  const backingOff = await startReceiver(busy);
  const { scope, fire, lines } = stage([
    webhook(receiver.origin, { name: "hanging", timeoutMillis: 60_000 }),
    webhook(backingOff.origin, { name: "backing-off" }),
    deaf,
  ]);
  await fire();
  await until(() => receiver.received.length === 1 && backingOff.received.length === 1);
  const before = performance.now();
  await scope.shutdown({ timeoutMillis: 200 });
  expect(performance.now() - before).toBeLessThan(1_500);
  for (const name of ["hanging", "backing-off", "deaf"]) {
    expect(lines()).toContain(`poolscope - ${name} was not told of 2 alerts when the scope shut down`);
  }
  const { length } = lines();
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines()).toHaveLength(length);
});

test("a notifier of the application's own may fail in every way", async () => {
  const secret = "hunter2";
  const failures: (() => unknown)[] = [
    () => {
      throw new TypeError(`no ${secret}`);
    },
    () => Promise.reject(new Error(`http://${secret}`)),
    () => Promise.reject(undefined),
    () => Promise.reject(secret),
    () => undefined,
  ];
  const notifiers = failures.map((notify, index) => ({
    name: `own-${index}`,
    delivery: { ...SWIFT, retries: 1 },
    notify: notify as Notifier["notify"],
  }));
  const final: Notifier = {
    name: "final",
    delivery: SWIFT,
    notify: vi.fn(() => Promise.reject(Object.assign(new Error("gone"), { isFinal: true, code: "EGONE" }))),
  };
  const { fire, counts, lines } = stage([...notifiers, final]);
  await fire();
  for (const index of [0, 1, 2, 3]) await until(async () => (await counts(`own-${index}`)).failed === 1);
  await until(async () => (await counts("own-4")).sent === 1);
  await until(async () => (await counts("final")).failed === 1);
  expect(final.notify).toHaveBeenCalledOnce();
  const reasons = lines().flatMap((line) => /is firing: (.*)$/.exec(line)?.[1] ?? []);
  expect(reasons.sort()).toEqual([
    "EGONE (1 attempt)",
    "Error (2 attempts)",
    "TypeError (2 attempts)",
    "string (2 attempts)",
    "undefined (2 attempts)",
  ]);
});

test("secrets are nowhere: logs, errors, JSON, inspection, metrics, health", async () => {
  const secret = "hunter2secret";
  const receiver = await startReceiver(status(500), status(404), closeSocket, garbage, hang, status(301));
  const url = `${receiver.origin}/services/${secret}?token=${secret}`;
  const options = { ...SWIFT, timeoutMillis: 100, retries: 2 };
  const notifiers = [
    slack(url, options),
    webhook(url, { ...options, headers: { "X-Key": secret } }),
    pagerDuty(secret, { ...options, url: `${receiver.origin}/${secret}` }),
    webhook(`http://127.0.0.1:1/${secret}`, { ...options, name: "nobody" }),
    webhook(`http://${secret}.invalid/`, { ...options, name: "unknown" }),
  ];
  const { scope, fire, counts, lines } = stage(notifiers);
  const mend = await fire();
  await mend();
  const all = ["slack", "webhook", "pagerduty", "nobody", "unknown"];
  for (const name of all) {
    await until(async () => {
      const { sent, failed } = await counts(name);
      return sent! + failed! === 2;
    }, 20_000);
  }
  const errors = await Promise.all(
    notifiers.map((notifier) =>
      notifier
        .notify({ ...scope.alerts()[0] } as Alert, AbortSignal.timeout(100))
        .catch((error: Error) => inspectAll(error) + error.stack),
    ),
  );
  const shown = [
    ...lines(),
    inspectAll(notifiers),
    JSON.stringify(notifiers),
    inspectAll(scope),
    (await scrape(scope)).text,
    JSON.stringify((await request(express().use(scope.health())).get("/")).body),
    ...errors,
  ];
  expect(receiver.received.length).toBeGreaterThan(5);
  expect(receiver.received.map(({ path, body }) => path + JSON.stringify(body)).join()).toContain(secret);
  for (const text of shown) expect(text).not.toContain(secret);
});

function inspectAll(value: unknown): string {
  return inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null });
}

test("requests to receivers are no part of the application's traces", async () => {
  const flows = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => flows.getStore() ?? ROOT_CONTEXT,
    with: (context, run, self, ...args) => flows.run(context, () => run.call(self as never, ...args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  expect(context.setGlobalContextManager(manager)).toBe(true);
  const suppressed: unknown[] = [];
  // What isTracingSuppressed() of @opentelemetry/core looks at.
  const key = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");
  const look = () => void suppressed.push(context.active().getValue(key));
  subscribe("undici:request:create", look);
  try {
    const receiver = await startReceiver();
    const { fire } = stage([slack(receiver.origin, SWIFT)]);
    await fire();
    await until(() => receiver.received.length === 1);
    expect(suppressed).toEqual([true]);
  } finally {
    unsubscribe("undici:request:create", look);
    context.disable();
  }
});

test("the counts are in the application's own provider too", async () => {
  const receiver = await startReceiver();
  const reader = new TestReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const { fire, counts } = stage([webhook(receiver.origin)], {
    meterProvider,
    reader,
    serviceName: undefined,
  });
  const mend = await fire();
  await mend();
  await until(async () => (await counts("webhook")).sent === 2);
  expect(receiver.received[0]?.body).not.toHaveProperty("service");
});

test("a process ends by itself, whatever still waits to be sent", async () => {
  const receiver = await startReceiver(status(503, { "Retry-After": "60" }));
  const script = `
    import pg from "pg";
    import { poolscope, webhook } from "poolscope";
    const pool = new pg.Pool({ ...JSON.parse(process.argv[1]), database: "postgres", max: 1 });
    const notifiers = [webhook(process.argv[2], { timeoutMillis: 60000 })];
    const scope = poolscope({ sampleIntervalMillis: 10, notifiers, alerts: { usage: { forMillis: 0 } } });
    scope.watch(pool, { name: "orders" });
    const client = await pool.connect();
    await new Promise((resolve) => scope.on("alert", resolve));
    await new Promise((resolve) => process.stdin.once("data", resolve));
    process.stdin.destroy();
    client.release();
    await pool.end();
  `;
  const args = ["--input-type=module", "-e", script, JSON.stringify(inject("postgres")), receiver.origin];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "inherit", "inherit"] });
  await until(() => receiver.received.length === 1);
  child.stdin.write("end\n");
  const killer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const [code, signal] = await once(child, "exit");
  clearTimeout(killer);
  expect({ code, signal }).toEqual({ code: 0, signal: null });
});
