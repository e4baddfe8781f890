import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Poolscope, poolscope } from "../../src/index.ts";
import { type Answer, answersTable, askDashboards } from "../support/dashboard-queries.ts";
import { readDashboards } from "../support/dashboards.ts";
import { SECRETS } from "../support/stack/config.ts";
import type { FiringAlert } from "../support/stack/prometheus-api.ts";
import { repeatedly } from "../support/stack/repeatedly.ts";
import { type Demo, type RunningStack, startStack } from "../support/stack/running-stack.ts";
import { type Labels, type Phase, pagerDutyWasTold, slackWasTold } from "../support/stack/told.ts";
import { until } from "../support/until.ts";

/** A minute is two seconds. What applications measure by their own clock is not: leaks after 10 s, stuck for 15 s. */
const FACTOR = 30;
const PATIENCE_MILLIS = 200_000;
const TEST_MILLIS = 2 * PATIENCE_MILLIS;

let stack: RunningStack;
let pause: number;
let startedAt: number;
/** Another service, whose pool may open more than the server has left. */
let batch: Poolscope;
const batchPool = new pg.Pool({ max: 1 });
const table: string[] = [];

beforeAll(async () => {
  startedAt = Math.floor(Date.now() / 1000);
  stack = await startStack(FACTOR);
  pause = stack.exportIntervalMillis;
  Object.assign(batchPool.options, { host: stack.postgres.host, port: stack.postgres.port });
  const url = `http://127.0.0.1:${stack.ports[4318]}/v1/metrics`;
  const interval = Math.round(pause);
  batch = poolscope({
    serviceName: "batch",
    otlp: { url, exportIntervalMillis: interval, exportTimeoutMillis: interval },
  });
  batch.watch(batchPool, { name: "batch" });
}, TEST_MILLIS);

afterAll(async () => {
  await batch?.shutdown();
  await stack?.stop();
  console.log(["fault → alert → runbook", ...table].join("\n"));
}, TEST_MILLIS);

interface Fault {
  readonly what: string;
  start(): Promise<() => unknown>;
  /** Each is told when it fires, and again when the fault is over. */
  readonly alerts: readonly Labels[];
}

test("what goes wrong with pools is told to Slack and PagerDuty, and taken back when it is over", {
  timeout: TEST_MILLIS,
}, async () => {
  const [first, second] = stack.demos as [Demo, Demo];
  // Every replica does something else too, so that there are ratios.
  const traffic = stack.demos.map(({ origin }) => repeatedly(pause, () => get(`${origin}/orders`)));
  const of = (alertname: string, pool: string, { instance }: Demo) => ({
    alertname,
    db_client_connection_pool_name: pool,
    instance,
  });
  const faults: Fault[] = [
    {
      what: "all connections held, and callers",
      start: () => holding(first, "reports", 4, () => get(`${first.origin}/reports/slow?seconds=1`)),
      alerts: ["PoolscopeAcquireTimeouts", "PoolscopePoolExhausted", "PoolscopePoolStuck"].map((name) =>
        of(name, "reports", first),
      ),
    },
    {
      what: "all connections held for long",
      start: () => holding(second, "reports", 4),
      alerts: ["PoolscopeUtilizationHigh", "PoolscopeLeakSuspected"].map((name) =>
        of(name, "reports", second),
      ),
    },
    {
      what: "transactions that do nothing",
      start: () => holding(first, "orders&begin=true", 7),
      alerts: [of("PoolscopeIdleInTransaction", "orders", first)],
    },
    {
      what: "queries that fail",
      start: async () => repeatedly(pause, () => post(`${second.origin}/demo/fail?pool=orders&times=3`)).stop,
      alerts: [
        { alertname: "PoolscopeQueryErrorBudgetBurn", db_client_connection_pool_name: "orders", long: "1h" },
      ],
    },
    {
      what: "connections closed on return",
      start: async () =>
        repeatedly(pause, () => post(`${second.origin}/demo/churn?pool=orders&times=3`)).stop,
      alerts: [of("PoolscopeConnectionChurn", "orders", second)],
    },
    {
      what: "pools larger than max_connections",
      start: async () => {
        batchPool.options.max = 100;
        return () => (batchPool.options.max = 1);
      },
      alerts: [{ alertname: "PoolscopeConnectionBudgetExceeded" }],
    },
  ];
  await Promise.all(faults.map(stage));
  await Promise.all(traffic.map(({ stop }) => stop()));
});

test("callers that are served, but late, are told", { timeout: TEST_MILLIS }, async () => {
  const [first] = stack.demos as [Demo];
  // Two at a time for the one connection that is left: the second waits for as long as the first one's query takes.
  const twoReports = async () =>
    void (await Promise.all([1, 2].map(() => get(`${first.origin}/reports/slow?seconds=0.3`))));
  await stage({
    what: "most callers wait for 0.3 s",
    start: () => holding(first, "reports", 3, twoReports, 700),
    alerts: [{ alertname: "PoolscopeWaitBudgetBurn", db_client_connection_pool_name: "reports", long: "1h" }],
  });
});

test("a PostgreSQL that crashed is told", { timeout: TEST_MILLIS }, async () => {
  const traffic = stack.demos.map(({ origin }) => repeatedly(pause, () => get(`${origin}/orders`)));
  await stage({
    what: "PostgreSQL crashed",
    start: async () => {
      await stack.postgres.kill();
      return () => stack.postgres.resume();
    },
    alerts: [
      {
        alertname: "PoolscopeConnectFailures",
        severity: "critical",
        db_client_connection_pool_name: "orders",
      },
    ],
  });
  await Promise.all(traffic.map(({ stop }) => stop()));
});

test("every panel, variable and annotation of the dashboards has data by way of the Collector", {
  timeout: TEST_MILLIS,
}, async () => {
  const [, second] = stack.demos as [Demo, Demo];
  const dashboards = await readDashboards();
  const ask = () => {
    const to = Math.floor(Date.now() / 1000);
    return askDashboards(stack.prometheus.origin, dashboards, { from: startedAt, to, scrapeSeconds: 1 });
  };
  const empty = (answers: readonly Answer[]) => answers.filter(({ series }) => series.length === 0);
  let answers: Answer[] = [];
  // What nothing so far has brought about: a query that is slow and succeeds.
  await until(async () => {
    await get(`${second.origin}/reports/slow?seconds=1.1`);
    answers = await ask();
    return empty(answers).length === 0;
  }, 60_000).catch(() => {});
  console.log(`panel → series\n${answersTable(answers)}`);
  expect(empty(answers).map(({ dashboard, item, query }) => `${dashboard} / ${item}: ${query}`)).toEqual([]);
});

test("a Collector that is gone is told", { timeout: TEST_MILLIS }, async () => {
  await stage({
    what: "Collector gone",
    start: async () => {
      await stack.collector?.kill();
      return () => stack.startCollector();
    },
    alerts: [{ alertname: "PoolscopeCollectorDown" }],
  });
});

test("applications that are gone are told", { timeout: TEST_MILLIS }, async () => {
  await stage({
    what: "all applications gone",
    start: async () => {
      await batch.shutdown();
      await Promise.all(stack.demos.map(({ program }) => program.kill()));
      return () => Promise.all(stack.demos.map((_, index) => stack.startDemo(index)));
    },
    alerts: [{ alertname: "PoolscopeMetricsAbsent", severity: "critical" }],
  });
});

test("no message has a secret in it but the routing key where PagerDuty wants it", () => {
  const { received } = stack.capture;
  for (const { path, body } of received) {
    const { routing_key, ...rest } = body;
    if (path === "/v2/enqueue") expect(routing_key).toBe(SECRETS.pagerDuty);
    else expect(path).toBe(`/services/${SECRETS.slack}`);
    const text = JSON.stringify(rest);
    const secrets = [SECRETS.slack, SECRETS.pagerDuty, stack.postgres.password];
    for (const secret of secrets) expect(text).not.toContain(secret);
  }
  expect(received.length).toBeGreaterThan(20);
});

/** It goes on until everybody was told, and is over when everybody was told that too. */
async function stage({ what, start, alerts }: Fault): Promise<void> {
  const stop = await start();
  const severities = await Promise.all(
    alerts.map(async (labels) => {
      const alert = await patiently(
        async () => (await firing(labels))[0],
        `${what}: ${text(labels)} does not fire`,
      );
      const runbook = new URL(alert.annotations["runbook_url"] ?? "").pathname;
      const page = await fetch(`http://127.0.0.1:${stack.ports[9094]}${runbook}`);
      expect(page.status, runbook).toBe(200);
      table.push(`${what.padEnd(40)} → ${labels["alertname"]?.padEnd(34)} → prometheus${runbook}.md`);
      await isTold("fires", labels, alert.labels["severity"]);
      return alert.labels["severity"];
    }),
  );
  await stop();
  await Promise.all(
    alerts.map(async (labels, index) => {
      await patiently(
        async () => (await firing(labels)).length === 0,
        `${what} is over: ${text(labels)} still fires`,
      );
      await isTold("ends", labels, severities[index]);
    }),
  );
}

/** Everything reaches Slack; what is critical, PagerDuty too. */
async function isTold(phase: Phase, labels: Labels, severity: string | undefined): Promise<void> {
  await patiently(
    () => slackWasTold(stack.capture, phase, labels),
    `Slack is not told that ${text(labels)} ${phase}`,
  );
  if (severity !== "critical") return;
  await patiently(
    () => pagerDutyWasTold(stack.capture, phase, labels),
    `PagerDuty is not told that ${text(labels)} ${phase}`,
  );
}

async function firing(labels: Labels): Promise<FiringAlert[]> {
  const isMeant = (alert: FiringAlert) =>
    Object.entries(labels).every(([name, value]) => alert.labels[name] === value);
  return (await stack.prometheus.alerts()).filter((alert) => alert.state === "firing" && isMeant(alert));
}

function patiently<T>(look: () => T | Promise<T>, complaint: string): Promise<NonNullable<T>> {
  return until(look, PATIENCE_MILLIS).catch((cause) => Promise.reject(new Error(complaint, { cause })));
}

function text(labels: Labels): string {
  return Object.values(labels).join(" ");
}

/** Clients taken out of a pool, and what goes on meanwhile. */
async function holding(
  { origin }: Demo,
  pool: string,
  clients: number,
  meanwhile?: () => Promise<void>,
  pauseMillis: number = pause,
): Promise<() => Promise<void>> {
  await post(`${origin}/demo/hold?pool=${pool}&clients=${clients}&seconds=600`);
  const repeated = meanwhile && repeatedly(pauseMillis, meanwhile);
  return async () => {
    await repeated?.stop();
    await fetch(`${origin}/demo/hold?pool=${pool}`, { method: "DELETE" });
  };
}

async function get(url: string): Promise<void> {
  await (await fetch(url)).arrayBuffer();
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  if (!response.ok) throw new Error(`${url} - ${response.status} ${await response.text()}`);
}
