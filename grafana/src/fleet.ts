import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboard, type Row } from "./dashboard.ts";
import { poolLink, RUNBOOKS, UIDS } from "./links.ts";
import { chartPanel, gaugePanel, type PanelBuilder, statPanel } from "./panels.ts";
import * as ask from "./queries.ts";
import { firingAlerts, OF_INSTANCE } from "./shared.ts";
import { tablePanel } from "./table.ts";
import * as steps from "./thresholds.ts";

const AVAILABLE = "given to applications";
const OF_SERVER = "{{server_address}}:{{server_port}}";
/** What the pools of a server may open together, beside what it gives. */
const BUDGET = `${ask.limit(ask.SERVER)} / ${ask.available()}`;

/** All services, processes and pools; which to look at, and whether the servers can take them all. */
export function fleet(): Dashboard {
  return dashboard({
    uid: UIDS.fleet,
    title: "Poolscope / Fleet",
    description:
      "All services, processes and pools in tables, and their connections against what the servers admit.",
    pools: "many",
    texts: { max_connections: "100", runbooks: RUNBOOKS },
    top: [
      ...strip(),
      pools(),
      services(),
      firingAlerts({
        id: 9,
        title: "Firing alerts",
        description:
          "What the bundled rules say is wrong, and for how long. Each alert has a runbook of its name.",
        width: 10,
        height: 8,
      }),
    ],
    rows: [budget(), extremes(), messages()],
  });
}

function strip(): PanelBuilder[] {
  const count = (by: string) => `count(count by (${by}) (${ask.metric("db_client_connection_limit")}))`;
  const number = (id: number, title: string, description: string, query: string) =>
    statPanel({ id, title, description, width: 4, query, unit: "short" });
  return [
    number(1, "Services", "Services (jobs) with at least one watched pool.", count("job")),
    number(
      2,
      "Processes",
      "Instances that report pools. Fewer than were started: some report nothing.",
      count("job, instance"),
    ),
    number(3, "Pools", "Watched pools in all processes.", count(ask.POOL)),
    number(
      4,
      "Open connections",
      "Connections open, idle and used, of all selected pools.",
      ask.gauge("", "db_client_connection_count"),
    ),
    number(
      5,
      "Callers waiting",
      "Callers queued for a connection, of all selected pools.",
      ask.gauge("", "db_client_connection_pending_requests"),
    ),
    gaugePanel({
      id: 6,
      title: "Connection budget",
      description:
        "Limits of all selected pools, added up for each server, divided by what it gives to applications: as the bundled rules have it, else max_connections above; the worst server. Above 100 %, the server refuses connections when every pool fills up.",
      width: 4,
      query: ask.maxBy("", BUDGET),
      unit: "percentunit",
      steps: steps.UTILIZATION,
    }),
  ];
}

function pools(): PanelBuilder {
  return tablePanel({
    id: 7,
    title: "All pools",
    description:
      "Every pool in every process, the fullest first; a click on a heading sorts by it, a click on a pool leads to it. Now: use, waiting, leaks. Over the time range: the rest.",
    width: 24,
    rows: { job: "Service", instance: "Instance", db_client_connection_pool_name: "Pool" },
    columns: [
      { title: "State", query: ask.state(), unit: "none", show: "state" },
      {
        title: "Utilization",
        query: ask.utilization(ask.POOL),
        unit: "percentunit",
        steps: steps.UTILIZATION,
        show: "gauge",
      },
      { title: "Used", query: ask.used(ask.POOL), unit: "short" },
      { title: "Limit", query: ask.limit(ask.POOL), unit: "short" },
      { title: "Busy on average", query: ask.atOnceInRange(ask.POOL, ask.USE), unit: "short", decimals: 2 },
      {
        title: "Waiting",
        query: ask.gauge(ask.POOL, "db_client_connection_pending_requests"),
        unit: "short",
        steps: steps.WAITING,
      },
      {
        title: "Wait p99",
        query: ask.quantileInRange(0.99, ask.POOL, ask.WAIT),
        unit: "s",
        steps: steps.WAIT_SECONDS,
      },
      {
        title: "Gave up",
        query: ask.inRange(ask.POOL, "db_client_connection_timeouts_total"),
        unit: "short",
        decimals: 0,
        steps: steps.NONE,
      },
      {
        title: "Failed connects",
        query: ask.inRange(ask.POOL, "poolscope_pool_connect_failures_total"),
        unit: "short",
        decimals: 0,
        steps: steps.NONE,
      },
      {
        title: "Failed queries",
        query: ask.errorRatioInRange(ask.POOL),
        unit: "percentunit",
        steps: steps.ERROR_RATIO,
      },
      {
        title: "Leaks",
        query: ask.gauge(ask.POOL, "poolscope_pool_leaked"),
        unit: "short",
        steps: steps.NONE,
      },
    ],
    sortBy: "Utilization",
    links: { Pool: poolLink("row") },
  });
}

function services(): PanelBuilder {
  return tablePanel({
    id: 8,
    title: "All services",
    description: "Each service with all of its processes: its fullest pool, and its connections added up.",
    width: 14,
    height: 8,
    rows: { job: "Service" },
    columns: [
      {
        title: "Fullest pool",
        query: ask.worstUtilization("job"),
        unit: "percentunit",
        steps: steps.UTILIZATION,
        show: "gauge",
      },
      {
        title: "Processes",
        query: `count by (job) (count by (job, instance) (${ask.metric("db_client_connection_limit")}))`,
        unit: "short",
      },
      { title: "Used", query: ask.used("job"), unit: "short" },
      { title: "Limit", query: ask.limit("job"), unit: "short" },
      {
        title: "Waiting",
        query: ask.gauge("job", "db_client_connection_pending_requests"),
        unit: "short",
        steps: steps.WAITING,
      },
      {
        title: "Gave up",
        query: ask.inRange("job", "db_client_connection_timeouts_total"),
        unit: "short",
        decimals: 0,
        steps: steps.NONE,
      },
      {
        title: "Failed queries",
        query: ask.errorRatioInRange("job"),
        unit: "percentunit",
        steps: steps.ERROR_RATIO,
      },
    ],
    sortBy: "Fullest pool",
  });
}

function budget(): Row {
  return {
    id: 100,
    title: "Connection budget",
    panels: [
      chartPanel({
        id: 101,
        title: "Connections of each server",
        description:
          "What the selected pools have open, and may open at most, against what the server gives to applications: as the bundled rules have it, else max_connections above. Watched pools only: other clients of the server come on top.",
        width: 14,
        lines: [
          { query: ask.gauge(ask.SERVER, "db_client_connection_count"), legend: `open, ${OF_SERVER}` },
          { query: ask.limit(ask.SERVER), legend: `may open, ${OF_SERVER}` },
          { query: ask.available(), legend: AVAILABLE },
        ],
        unit: "short",
        limits: [AVAILABLE],
      }),
      tablePanel({
        id: 102,
        title: "Servers",
        description:
          "The same as numbers. Budget above 100 %: lower max, or run fewer processes, or put a pooler between.",
        width: 10,
        height: 8,
        rows: { server_address: "Server", server_port: "Port" },
        columns: [
          { title: "Budget", query: BUDGET, unit: "percentunit", steps: steps.UTILIZATION, show: "gauge" },
          { title: "May open", query: ask.limit(ask.SERVER), unit: "short" },
          { title: "Open", query: ask.gauge(ask.SERVER, "db_client_connection_count"), unit: "short" },
          { title: "Used", query: ask.used(ask.SERVER), unit: "short" },
        ],
        sortBy: "Budget",
      }),
    ],
  };
}

function extremes(): Row {
  return {
    id: 200,
    title: "The ten worst",
    panels: [
      chartPanel({
        id: 201,
        title: "Fullest pools",
        description: "Used connections divided by the limit. Yellow from 75 %, red from 90 %.",
        width: 12,
        lines: [{ query: ask.top(10, ask.utilization(ask.POOL)), legend: OF_INSTANCE }],
        unit: "percentunit",
        max: 1,
        steps: steps.UTILIZATION,
        link: "series of an instance",
      }),
      chartPanel({
        id: 202,
        title: "Longest waits, p99",
        description:
          "99 of 100 requests for a connection were answered within this time. Yellow from 0.1 s, red from 0.5 s.",
        width: 12,
        lines: [{ query: ask.top(10, ask.quantile(0.99, ask.POOL, ask.WAIT)), legend: OF_INSTANCE }],
        unit: "s",
        steps: steps.WAIT_SECONDS,
        link: "series of an instance",
      }),
      chartPanel({
        id: 203,
        title: "Most connections opened",
        description: "Connections opened a minute. Steadily high: connections serve too few requests.",
        width: 12,
        lines: [
          {
            query: ask.top(10, ask.perMinute(ask.POOL, "poolscope_pool_connects_total")),
            legend: OF_INSTANCE,
          },
        ],
        unit: "cpm",
        link: "series of an instance",
      }),
      chartPanel({
        id: 204,
        title: "Most idle in a transaction",
        description:
          "Connections whose holder began a transaction and does something else. They keep locks, and old rows from being removed.",
        width: 12,
        lines: [
          {
            query: ask.top(10, ask.gauge(ask.POOL, "poolscope_pool_held", 'activity="idle_in_transaction"')),
            legend: OF_INSTANCE,
          },
        ],
        unit: "short",
        link: "series of an instance",
      }),
    ],
  };
}

function messages(): Row {
  return {
    id: 300,
    title: "Alerts of the processes themselves",
    panels: [
      chartPanel({
        id: 301,
        title: "Messages of notifiers",
        description:
          "Messages a minute that processes sent by their own notifiers, and those that failed or were dropped. Nothing without notifiers.",
        width: 24,
        height: 6,
        lines: ["sent", "failed", "dropped"].map((what) => ({
          query: `60 * sum by (notifier) (rate(poolscope_alerts_${what}_total{job=~"$job", instance=~"$instance"}[$__rate_interval]))`,
          legend: `${what}, {{notifier}}`,
        })),
        unit: "cpm",
      }),
    ],
  };
}
