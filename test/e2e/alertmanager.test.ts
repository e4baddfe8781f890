import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { type Alertmanager, type PostedAlert, startAlertmanager } from "../support/alertmanager.ts";
import { startReceiver } from "../support/receiver.ts";
import { ROOT } from "../support/rules.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const CONFIGS = ["alertmanager.yml", "notify.yml"];
const POOL = { job: "shop", db_client_connection_pool_name: "orders" };
const ON_A = { ...POOL, instance: "a" };

let running: Alertmanager | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describe.each(CONFIGS)("amtool on %s", (name) => {
  const file = join(ROOT, "alertmanager", name);

  it("finds nothing wrong", async () => {
    expect((await run("amtool", ["check-config", file])).stdout).toContain("SUCCESS");
  });

  it.each([
    ["on-call", "critical"],
    ["team", "warning"],
    ["team", "info"],
  ])("routes to %s what is %s", async (receiver, severity) => {
    const options = [`--config.file=${file}`, `--verify.receivers=${receiver}`];
    const labels = ["alertname=PoolscopePoolStuck", `severity=${severity}`];
    const { stdout } = await run("amtool", ["config", "routes", "test", ...options, ...labels]);
    expect(stdout.trim()).toBe(receiver);
  });
});

describe("one trouble is one message:", () => {
  const stuck = alert("PoolscopePoolStuck", "critical", ON_A);
  const exhausted = alert("PoolscopePoolExhausted", "critical", ON_A);
  const full = alert("PoolscopeUtilizationHigh", "warning", ON_A);
  const gaveUp = alert("PoolscopeAcquireTimeouts", "warning", { ...ON_A, error_type: "wait_timeout" });
  const late = alert("PoolscopeWaitBudgetBurn", "critical", { ...POOL, long: "1h", short: "5m" });
  const lateForLong = alert("PoolscopeWaitBudgetBurn", "warning", { ...POOL, long: "1d", short: "2h" });
  const failing = alert("PoolscopeQueryErrorBudgetBurn", "critical", { ...POOL, long: "1h", short: "5m" });
  const refused = alert("PoolscopeConnectFailures", "critical", { ...ON_A, error_type: "ECONNREFUSED" });
  const refusedTo = alert("PoolscopeConnectFailures", "warning", { ...ON_A, error_type: "ECONNREFUSED" });
  const leak = alert("PoolscopeLeakSuspected", "warning", ON_A);
  const collector = alert("PoolscopeCollectorDown", "critical", {
    job: "otel-collector",
    instance: "c:8888",
  });
  const blind = alert("PoolscopeMetricsAbsent", "critical", {});
  const gone = alert("PoolscopeMetricsAbsent", "warning", POOL);

  it.each<[string, PostedAlert[], PostedAlert[]]>([
    ["of a stuck pool, and what holds it", [stuck, leak], [exhausted, full, gaveUp, late]],
    ["of an exhausted pool", [exhausted], [full, gaveUp, late]],
    ["of a server that is down", [refused], [refusedTo, stuck, exhausted, gaveUp, late, failing]],
    ["of a budget, the more urgent one", [late], [lateForLong]],
    ["of a Collector that is down", [collector], [blind, gone]],
    ["of all pools, instead of one for each", [blind], [gone]],
  ])("%s", async (_which, told, known) => {
    running = await startAlertmanager("alertmanager.yml");
    await running.post([...told, ...known]);
    expect(await settled(running, told.length)).toEqual(sorted(told));
  });

  it("but other instances and other pools are troubles of their own", async () => {
    running = await startAlertmanager("alertmanager.yml");
    const others = [full, gaveUp].flatMap((one) => [
      { labels: { ...one.labels, instance: "b" } },
      { labels: { ...one.labels, db_client_connection_pool_name: "reports" } },
      { labels: { ...one.labels, job: "billing" } },
    ]);
    await running.post([stuck, full, gaveUp, ...others]);
    expect(await settled(running, 1 + others.length)).toEqual(sorted([stuck, ...others]));
  });
});

describe("notify.yml", () => {
  const instance = (name: string): PostedAlert => ({
    ...alert("PoolscopePoolExhausted", "critical", { ...POOL, instance: name }),
    annotations: {
      summary: "Pool orders of shop is exhausted and callers wait.",
      description: `All 10 connections of pool orders of shop on ${name} have been in use.`,
      runbook_url: "http://localhost:9094/runbooks/PoolscopePoolExhausted",
      dashboard_url: `http://localhost:3000/d/poolscope-pool?var-job=shop&var-instance=${name}&var-pool=orders`,
    },
  });

  it("tells Slack and PagerDuty of a critical alert in one message each, and once more when it is over", async () => {
    const receiver = await startReceiver();
    running = await startNotifying(receiver.origin);
    await running.post([instance("a"), instance("b")]);
    const told = (path: string, count: number) =>
      until(() => {
        const messages = receiver.received.filter((message) => message.path === path);
        return messages.length >= count ? messages.map(({ body }) => body) : undefined;
      });
    const both = [
      "All 10 connections of pool orders of shop on a have been in use.",
      "All 10 connections of pool orders of shop on b have been in use.",
      "Runbook: http://localhost:9094/runbooks/PoolscopePoolExhausted",
    ].join("\n");

    const [slack] = await told("/slack", 1);
    expect(slack.attachments).toMatchObject([
      {
        color: "danger",
        title: "[FIRING 2] Pool orders of shop is exhausted and callers wait.",
        text: both,
      },
    ]);
    const [page] = await told("/pagerduty", 1);
    expect(page).toMatchObject({
      routing_key: "a routing key",
      event_action: "trigger",
      client: "poolscope",
      links: [{ href: "http://localhost:9094/runbooks/PoolscopePoolExhausted", text: "Runbook" }],
      payload: {
        summary: "[FIRING 2] Pool orders of shop is exhausted and callers wait.",
        severity: "critical",
        class: "PoolscopePoolExhausted",
        group: "shop",
        component: "orders",
        custom_details: { alerts: both },
      },
    });

    const endsAt = new Date().toISOString();
    await running.post([instance("a"), instance("b")].map((one) => ({ ...one, endsAt })));
    const [, resolved] = await told("/slack", 2);
    expect(resolved.attachments).toMatchObject([
      { color: "good", title: "[RESOLVED] Pool orders of shop is exhausted and callers wait." },
    ]);
    const [, end] = await told("/pagerduty", 2);
    expect(end).toMatchObject({ event_action: "resolve", dedup_key: page.dedup_key });
  });

  it("tells Slack alone of a warning, with a link to the dashboard of the one instance", async () => {
    const receiver = await startReceiver();
    running = await startNotifying(receiver.origin);
    const { labels, annotations = {} } = instance("a");
    await running.post([{ labels: { ...labels, severity: "warning" }, annotations }]);
    const { path, body } = await until(() => receiver.received[0]);
    expect(path).toBe("/slack");
    expect(body.attachments).toMatchObject([
      {
        color: "warning",
        title_link: annotations["dashboard_url"],
        title: expect.stringMatching(/^\[FIRING\] Pool/),
      },
    ]);
  });
});

/** As it is, but for where the messages go and how long they are gathered. */
function startNotifying(origin: string): Promise<Alertmanager> {
  const changes = {
    "https://events.pagerduty.com/v2/enqueue": `${origin}/pagerduty`,
    "/run/secrets": "{folder}/secrets",
    "group_wait: 10s": "group_wait: 500ms",
    "group_interval: 1m": "group_interval: 500ms",
  };
  const secrets = { slack_webhook_url: `${origin}/slack\n`, pagerduty_routing_key: "a routing key\n" };
  return startAlertmanager("notify.yml", changes, secrets);
}

function alert(alertname: string, severity: string, labels: Readonly<Record<string, string>>): PostedAlert {
  return { labels: { ...labels, alertname, severity } };
}

/** Alertmanager takes alerts in one after the other, and a moment to see which make others superfluous. */
async function settled({ active }: Alertmanager, count: number): Promise<string[]> {
  const seen = await until(async () => {
    const labels = await active();
    return labels.length === count ? labels : undefined;
  });
  return sorted(seen.map((labels) => ({ labels })));
}

function sorted(alerts: readonly PostedAlert[]): string[] {
  return alerts.map(({ labels }) => JSON.stringify(Object.entries(labels).sort())).sort();
}
