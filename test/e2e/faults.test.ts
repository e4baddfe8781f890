import { existsSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Poolscope, poolscope } from "../../src/index.ts";
import { SECRETS } from "../support/stack/config.ts";
import { type Repeated, repeatedly } from "../support/stack/repeatedly.ts";
import { type Demo, type RunningStack, startStack } from "../support/stack/running-stack.ts";
import { until } from "../support/until.ts";

/** A minute is two seconds. What applications count by their own clock is not: leaks after 60 s, stuck for 15 s. */
const FACTOR = 30;
const PATIENCE_MILLIS = 150_000;
const TEST_MILLIS = 2 * PATIENCE_MILLIS;

/** What wakes somebody. */
const CRITICAL = new Set([
  "PoolscopePoolExhausted",
  "PoolscopePoolStuck",
  "PoolscopeWaitBudgetBurn",
  "PoolscopeQueryErrorBudgetBurn",
  "PoolscopeConnectFailures",
  "PoolscopeMetricsAbsent",
  "PoolscopeCollectorDown",
]);

let stack: RunningStack;
/** Another service, whose pool may open more than the server has left. */
let batch: Poolscope;
const batchPool = new pg.Pool({ max: 1 });
const seen: { fault: string; alert: string; runbook: string }[] = [];

beforeAll(async () => {
  stack = await startStack(FACTOR);
  batchPool.options.host = stack.postgres.host;
  batchPool.options.port = stack.postgres.port;
  batch = poolscope({
    serviceName: "batch",
    otlp: {
      url: `http://127.0.0.1:${stack.ports[4318]}/v1/metrics`,
      exportIntervalMillis: Math.round(stack.exportIntervalMillis),
      exportTimeoutMillis: Math.round(stack.exportIntervalMillis),
    },
  });
  batch.watch(batchPool, { name: "batch" });
}, TEST_MILLIS);

afterAll(async () => {
  await batch?.shutdown();
  await stack?.stop();
  console.log(table(seen));
}, TEST_MILLIS);

test(
  "what goes wrong with pools is told to Slack and PagerDuty, and taken back when it is over",
  async () => {
    const [first, second] = stack.demos as [Demo, Demo];
    const pause = stack.exportIntervalMillis;
    // Every pool of both replicas is in use, so that there are ratios to compare with.
    const traffic = stack.demos.map(({ origin }) => repeatedly(pause, () => get(`${origin}/orders`)));
    await Promise.all([
      hold(first, "pool=reports&clients=4&seconds=600"),
      hold(second, "pool=reports&clients=4&seconds=600"),
      hold(first, "pool=orders&clients=7&seconds=600&begin=true"),
    ]);
    const faults: Repeated[] = [
      repeatedly(pause, () => get(`${first.origin}/reports/slow?seconds=1`)),
      repeatedly(pause, () => post(`${second.origin}/demo/fail?pool=orders&times=5`)),
      repeatedly(pause, () => post(`${second.origin}/demo/churn?pool=orders&times=5`)),
    ];
    batchPool.options.max = 100;

    const of = (alertname: string, { instance }: Demo, pool: string) => ({
      alertname,
      instance,
      db_client_connection_pool_name: pool,
    });
    const expected = [
      {
        fault: "all connections held, callers waiting",
        labels: of("PoolscopePoolExhausted", first, "reports"),
      },
      { fault: "callers that give up", labels: of("PoolscopeAcquireTimeouts", first, "reports") },
      { fault: "nothing handed out or returned", labels: of("PoolscopePoolStuck", first, "reports") },
      {
        fault: "most requests late",
        labels: {
          alertname: "PoolscopeWaitBudgetBurn",
          long: "1h",
          db_client_connection_pool_name: "reports",
        },
      },
      { fault: "connections held for over 60 s", labels: of("PoolscopeLeakSuspected", first, "reports") },
      {
        fault: "all connections held, nobody waiting",
        labels: of("PoolscopeUtilizationHigh", second, "reports"),
      },
      {
        fault: "transactions open, doing nothing",
        labels: of("PoolscopeIdleInTransaction", first, "orders"),
      },
      {
        fault: "failing queries",
        labels: {
          alertname: "PoolscopeQueryErrorBudgetBurn",
          long: "1h",
          db_client_connection_pool_name: "orders",
        },
      },
      { fault: "connections closed on return", labels: of("PoolscopeConnectionChurn", second, "orders") },
      {
        fault: "pools larger than max_connections",
        labels: { alertname: "PoolscopeConnectionBudgetExceeded" },
      },
    ];
    await Promise.all(expected.map(({ fault, labels }) => fires(fault, labels)));

    await Promise.all([...faults.map((fault) => fault.stop()), ...stack.demos.map(giveBack)]);
    batchPool.options.max = 1;
    await Promise.all(expected.map(({ labels }) => resolves(labels)));
    await Promise.all(traffic.map((repeated) => repeated.stop()));
    for (const { labels } of expected) await isTold(labels);
  },
  TEST_MILLIS,
);

test(
  "a PostgreSQL that crashed is told, and taken back when it is there again",
  async () => {
    const traffic = stack.demos.map(({ origin }) =>
      repeatedly(stack.exportIntervalMillis, () => get(`${origin}/orders`)),
    );
    const labels = {
      alertname: "PoolscopeConnectFailures",
      severity: "critical",
      db_client_connection_pool_name: "orders",
    };
    await stack.postgres.kill();
    await fires("PostgreSQL crashed", labels);
    await stack.postgres.resume();
    await resolves(labels);
    await Promise.all(traffic.map((repeated) => repeated.stop()));
    await isTold(labels);
  },
  TEST_MILLIS,
);

test(
  "a Collector that is gone is told, and taken back when it is there again",
  async () => {
    const labels = { alertname: "PoolscopeCollectorDown" };
    await stack.collector?.kill();
    await fires("Collector gone", labels);
    await stack.startCollector();
    await resolves(labels);
    await isTold(labels);
  },
  TEST_MILLIS,
);

test(
  "applications that are gone are told, and taken back when they are there again",
  async () => {
    const labels = { alertname: "PoolscopeMetricsAbsent", severity: "critical" };
    await batch.shutdown();
    await Promise.all(stack.demos.map(({ program }) => program.kill()));
    await fires("all applications gone", labels);
    await Promise.all(stack.demos.map((_, index) => stack.startDemo(index)));
    await resolves(labels);
    await isTold(labels);
  },
  TEST_MILLIS,
);

test("no message has a secret in it but the routing key where PagerDuty wants it", async () => {
  const { received } = stack.capture;
  for (const { path, body } of received) {
    const { routing_key, ...rest } = body;
    if (path === "/v2/enqueue") expect(routing_key).toBe(SECRETS.pagerDuty);
    else expect(path).toBe(`/services/${SECRETS.slack}`);
    const text = JSON.stringify(rest);
    for (const secret of [SECRETS.slack, SECRETS.pagerDuty, stack.postgres.password])
      expect(text).not.toContain(secret);
  }
  expect(received.length).toBeGreaterThan(20);
});

type Labels = Record<string, string>;

async function firing(labels: Labels) {
  const alerts = await stack.prometheus.alerts();
  return alerts.filter(
    (alert) =>
      alert.state === "firing" &&
      Object.entries(labels).every(([name, value]) => alert.labels[name] === value),
  );
}

async function fires(fault: string, labels: Labels): Promise<void> {
  const alert = await until(async () => (await firing(labels))[0], PATIENCE_MILLIS).catch(() =>
    Promise.reject(new Error(`${fault}: ${JSON.stringify(labels)} did not fire`)),
  );
  const runbook = alert.annotations["runbook_url"] ?? "";
  seen.push({ fault, alert: labels["alertname"] ?? "", runbook });

  const { pathname } = new URL(runbook);
  expect(existsSync(`prometheus${pathname}.md`), runbook).toBe(true);
  const page = await fetch(`http://127.0.0.1:${stack.ports[9094]}${pathname}`);
  expect(await page.text()).toContain(labels["alertname"]);
}

async function resolves(labels: Labels): Promise<void> {
  await until(async () => (await firing(labels)).length === 0, PATIENCE_MILLIS).catch(() =>
    Promise.reject(new Error(`${JSON.stringify(labels)} did not end`)),
  );
}

/** Everything that fires reaches Slack, and what is critical PagerDuty too; with where to read on; and so does its end. */
async function isTold(labels: Labels): Promise<void> {
  const name = labels["alertname"] ?? "";
  const pool = labels["db_client_connection_pool_name"] ?? "";
  const runbook = `http://localhost:9094/runbooks/${name}`;
  const { received } = stack.capture;
  const isAbout = (text: string) => text.includes(runbook) && text.includes(pool);
  const inSlack = (status: string) =>
    received.some(
      ({ body: { attachments: [message] = [] } }) =>
        message?.title.startsWith(`[${status}`) && isAbout(message.text),
    );
  const toPagerDuty = (action: string) =>
    received.some(
      ({ body }) =>
        body.event_action === action &&
        body.payload.class === name &&
        body.payload.severity === "critical" &&
        (body.payload.component ?? "") === pool &&
        isAbout(body.payload.custom_details.alerts) &&
        body.links[0].href === runbook,
    );
  await until(() => inSlack("FIRING"), PATIENCE_MILLIS).catch(() => complain(`${name} is not in Slack`));
  await until(() => inSlack("RESOLVED"), PATIENCE_MILLIS).catch(() =>
    complain(`the end of ${name} is not in Slack`),
  );
  if (!CRITICAL.has(name)) return;
  await until(() => toPagerDuty("trigger"), PATIENCE_MILLIS).catch(() =>
    complain(`${name} is not in PagerDuty`),
  );
  await until(() => toPagerDuty("resolve"), PATIENCE_MILLIS).catch(() =>
    complain(`the end of ${name} is not in PagerDuty`),
  );
}

function complain(what: string): never {
  throw new Error(`${what}:\n${JSON.stringify(stack.capture.received, undefined, 2)}`);
}

function hold({ origin }: Demo, query: string): Promise<void> {
  return post(`${origin}/demo/hold?${query}`);
}

async function giveBack({ origin }: Demo): Promise<void> {
  await fetch(`${origin}/demo/hold`, { method: "DELETE" });
}

async function get(url: string): Promise<void> {
  await (await fetch(url)).arrayBuffer();
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  expect(response.ok, `${url} - ${await response.text()}`).toBe(true);
}

function table(rows: readonly { fault: string; alert: string; runbook: string }[]): string {
  const lines = rows.map(
    ({ fault, alert, runbook }) =>
      `${fault.padEnd(40)} → ${alert.padEnd(36)} → ${new URL(runbook).pathname.slice(1)}.md`,
  );
  return ["fault → alert → runbook", ...lines].join("\n");
}
