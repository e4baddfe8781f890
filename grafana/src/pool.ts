import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboard, type Row } from "./dashboard.ts";
import { UIDS } from "./links.ts";
import { chartPanel, gaugePanel, heatmapPanel, type PanelBuilder, statesPanel, statPanel } from "./panels.ts";
import * as ask from "./queries.ts";
import { durations } from "./shared.ts";
import * as steps from "./thresholds.ts";

const INSTANCE = "{{instance}}";

/** What one pool does, process by process. */
export function pool(): Dashboard {
  return dashboard({
    uid: UIDS.pool,
    title: "Poolscope / Pool",
    description: "One pool, process by process: who waits, what its connections do, why they are closed.",
    pools: "one",
    top: [...strip(), ...byInstance()],
    rows: [activity(), demand(), times(), churn()],
  });
}

function strip(): PanelBuilder[] {
  return [
    gaugePanel({
      id: 1,
      title: "Fullest process",
      description:
        "Used connections divided by the limit, in the process where the pool is fullest. Yellow from 75 %, red from 90 %.",
      width: 4,
      query: ask.worstUtilization(""),
      unit: "percentunit",
      steps: steps.UTILIZATION,
    }),
    statPanel({
      id: 2,
      title: "In use",
      description: "Connections handed out, in all processes.",
      width: 4,
      query: ask.used(""),
      unit: "short",
    }),
    statPanel({
      id: 3,
      title: "Limit",
      description: "The most connections the pool may open, in all processes together.",
      width: 4,
      query: ask.limit(""),
      unit: "short",
    }),
    statPanel({
      id: 4,
      title: "Callers waiting",
      description: "Callers queued for a connection, in all processes. Red from 5.",
      width: 4,
      query: ask.gauge("", "db_client_connection_pending_requests"),
      unit: "short",
      steps: steps.WAITING,
    }),
    statPanel({
      id: 5,
      title: "No movement for",
      description:
        "How long callers have waited while nothing was handed out or returned, in the worst process. Red from 5 s: the pool is stuck.",
      width: 4,
      query: ask.maxBy("", ask.metric("poolscope_pool_stalled_seconds")),
      unit: "s",
      steps: steps.STALLED_SECONDS,
    }),
    statPanel({
      id: 6,
      title: "Suspected leaks",
      description:
        "Connections held for longer than leakAfterMillis and not returned. Red from the first one.",
      width: 4,
      query: ask.gauge("", "poolscope_pool_leaked"),
      unit: "short",
      steps: steps.NONE,
    }),
  ];
}

function byInstance(): PanelBuilder[] {
  return [
    statesPanel({
      id: 7,
      title: "State in each process",
      description:
        "Busy: 75 % or more in use. Callers wait: somebody is queued. Connects fail: connections could not be opened. Stuck: callers wait and nothing was handed out or returned for 5 s. All processes at once: look at the server. One alone: look at that process.",
      width: 24,
      height: 6,
      line: { query: ask.maxBy("job, instance", ask.state()), legend: INSTANCE },
    }),
    chartPanel({
      id: 8,
      title: "Utilization by process",
      description: "Used connections divided by the limit. Yellow from 75 %, red from 90 %.",
      width: 8,
      lines: [{ query: ask.utilization(ask.POOL), legend: INSTANCE }],
      unit: "percentunit",
      max: 1,
      steps: steps.UTILIZATION,
    }),
    chartPanel({
      id: 9,
      title: "Callers waiting by process",
      description: "Callers queued for a connection at the scrape.",
      width: 8,
      lines: [{ query: ask.gauge(ask.POOL, "db_client_connection_pending_requests"), legend: INSTANCE }],
      unit: "short",
    }),
    chartPanel({
      id: 10,
      title: "Oldest wait by process",
      description: "Age of the caller that has waited longest.",
      width: 8,
      lines: [
        { query: ask.maxBy(ask.POOL, ask.metric("poolscope_pool_oldest_wait_seconds")), legend: INSTANCE },
      ],
      unit: "s",
    }),
  ];
}

function activity(): Row {
  return {
    id: 100,
    title: "What the connections do",
    panels: [
      chartPanel({
        id: 101,
        title: "Connections in use by activity",
        description:
          "executing: a statement runs. idle_in_transaction: BEGIN was sent, and the application does something else. idle: held, and nothing runs. Much of these two: hold connections for less, rather than raise the limit. lost: the server has closed it. kept: held for good on purpose.",
        width: 12,
        lines: [
          { query: ask.gauge("activity", "poolscope_pool_held"), legend: "{{activity}}" },
          { query: ask.limit(""), legend: "limit" },
        ],
        unit: "short",
        style: "stacked",
        limits: ["limit"],
      }),
      chartPanel({
        id: 102,
        title: "Used: at the scrape, on average, at most",
        description:
          "At the scrape, on average by seconds held per second, and the most at once between scrapes, in all processes; peaks of single processes need not be of one moment. Peaks far above the rest: bursts, which a larger limit or spreading them helps.",
        width: 12,
        lines: [
          { query: ask.gauge("", "poolscope_pool_checked_out"), legend: "at the scrape" },
          { query: ask.atOnce("", ask.USE), legend: "on average" },
          { query: ask.gauge("", "poolscope_pool_peak_used"), legend: "peaks" },
          { query: ask.limit(""), legend: "limit" },
        ],
        unit: "short",
        limits: ["limit"],
      }),
      chartPanel({
        id: 103,
        title: "Idle connections, and how many are kept",
        description:
          "Idle connections between the pool's min and the most it may hold, and connections being opened.",
        width: 12,
        lines: [
          {
            query: ask.idle(""),
            legend: "idle",
          },
          { query: ask.gauge("", "poolscope_pool_connecting"), legend: "connecting" },
          { query: ask.gauge("", "db_client_connection_idle_min"), legend: "min" },
          { query: ask.gauge("", "db_client_connection_idle_max"), legend: "max" },
        ],
        unit: "short",
        limits: ["min", "max"],
      }),
      chartPanel({
        id: 104,
        title: "Beyond the pool size",
        description:
          "Connections in use beyond poolSize, the number meant for ordinary load. Overflow all day: the ordinary load has grown.",
        width: 12,
        lines: [
          { query: ask.gauge("", "poolscope_pool_overflow"), legend: "overflow" },
          { query: ask.gauge("", "poolscope_pool_size"), legend: "pool size" },
        ],
        unit: "short",
        limits: ["pool size"],
      }),
    ],
  };
}

function demand(): Row {
  return {
    id: 200,
    title: "Demand",
    panels: [
      chartPanel({
        id: 201,
        title: "Requests for a connection",
        description:
          "Asked for, handed out, and had to wait, a second. Asked for and handed out apart: callers give up, fail or pile up.",
        width: 12,
        lines: [
          { query: ask.rate("", "poolscope_pool_requests_total"), legend: "asked for" },
          { query: ask.rate("", "poolscope_pool_checkouts_total"), legend: "handed out" },
          { query: ask.rate("", "poolscope_pool_waits_total"), legend: "had to wait" },
        ],
        unit: "reqps",
      }),
      chartPanel({
        id: 202,
        title: "Callers waiting: at the scrape, on average, at most",
        description:
          "At the scrape, on average by seconds waited per second (dials included), and the most at once between scrapes, in all processes.",
        width: 12,
        lines: [
          { query: ask.gauge("", "db_client_connection_pending_requests"), legend: "at the scrape" },
          { query: ask.atOnce("", ask.WAIT), legend: "on average" },
          { query: ask.gauge("", "poolscope_pool_peak_pending"), legend: "peaks" },
        ],
        unit: "short",
      }),
      chartPanel({
        id: 203,
        title: "Time all callers have waited",
        description:
          "Ages of all queued callers, added up. Divided by the callers waiting: how long each has waited so far.",
        width: 12,
        lines: [{ query: ask.gauge(ask.POOL, "poolscope_pool_total_wait_seconds"), legend: INSTANCE }],
        unit: "s",
      }),
      chartPanel({
        id: 204,
        title: "Turned away",
        description:
          "A minute: callers that gave up, those refused because maxWaiting others were waiting, and HTTP requests that shedLoad() answered with 503.",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute("error_type", "db_client_connection_timeouts_total"),
            legend: "{{error_type}}",
          },
          { query: ask.perMinute("", "poolscope_pool_rejected_total"), legend: "rejected" },
          { query: ask.perMinute("", "poolscope_middleware_shed_total"), legend: "shed" },
        ],
        unit: "cpm",
        style: "bars",
      }),
    ],
  };
}

function times(): Row {
  return {
    id: 300,
    title: "Times",
    panels: [
      ...durations(
        302,
        ask.WAIT,
        "Wait for a connection",
        "From the request until a connection was handed out, dial included.",
        steps.WAIT_SECONDS,
      ),
      ...durations(
        304,
        ask.USE,
        "Hold of a connection",
        "From handing a connection out until it was released.",
      ),
      chartPanel({
        id: 306,
        title: "Wait p99 by process",
        description: "99 of 100 requests for a connection were answered within this time.",
        width: 12,
        lines: [{ query: ask.quantile(0.99, ask.POOL, ask.WAIT), legend: INSTANCE }],
        unit: "s",
        steps: steps.WAIT_SECONDS,
      }),
      chartPanel({
        id: 307,
        title: "Query p95 by verb",
        description: "95 of 100 queries were answered within this time.",
        width: 12,
        lines: [
          { query: ask.quantile(0.95, "db_operation_name", ask.DURATION), legend: "{{db_operation_name}}" },
        ],
        unit: "s",
        steps: steps.QUERY_SECONDS,
      }),
    ],
  };
}

function churn(): Row {
  return {
    id: 400,
    title: "Opened and closed",
    panels: [
      chartPanel({
        id: 401,
        title: "Opened and closed",
        description:
          "Connections opened and closed a minute. Both high: connections serve too few requests; look at the reasons and at the reuse.",
        width: 12,
        lines: [
          { query: ask.perMinute("", "poolscope_pool_connects_total"), legend: "opened" },
          { query: ask.perMinute("", "poolscope_pool_closes_total"), legend: "closed" },
        ],
        unit: "cpm",
      }),
      chartPanel({
        id: 402,
        title: "Closed by reason",
        description:
          "Connections closed a minute. query_error: pool.query closes its connection after any SQL error, unless recycle() keeps it. idle: idleTimeoutMillis, 10 s by default, is short for a pool that breathes.",
        width: 12,
        lines: [{ query: ask.kindsPerMinute("reason", "poolscope_pool_closes_total"), legend: "{{reason}}" }],
        unit: "cpm",
        style: "bars",
      }),
      heatmapPanel({
        id: 403,
        title: "Reuse, distribution",
        description:
          "How often closed connections had been handed out. Low: a dial is paid for every few requests.",
        width: 12,
        query: ask.buckets(ask.REUSE),
        unit: "short",
      }),
      chartPanel({
        id: 404,
        title: "Opening a connection",
        description: "From the start of a dial until the connection was ready.",
        width: 12,
        lines: [
          { query: ask.quantile(0.99, "", ask.CREATE), legend: "p99" },
          { query: ask.quantile(0.5, "", ask.CREATE), legend: "p50" },
        ],
        unit: "s",
      }),
      chartPanel({
        id: 405,
        title: "Failed connects",
        description: "Connections that could not be opened, a minute, by SQLSTATE or Node error code.",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute("error_type", "poolscope_pool_connect_failures_total"),
            legend: "{{error_type}}",
          },
        ],
        unit: "cpm",
        style: "bars",
      }),
      chartPanel({
        id: 406,
        title: "Care",
        description:
          "A minute: pings of idle connections by recycle() and those that failed, connections released inside a transaction, and suspected leaks.",
        width: 12,
        lines: [
          { query: ask.perMinute("", "poolscope_pool_pings_total"), legend: "pings" },
          { query: ask.perMinute("", "poolscope_pool_ping_failures_total"), legend: "failed pings" },
          {
            query: ask.perMinute("", "poolscope_pool_released_in_transaction_total"),
            legend: "released in a transaction",
          },
          { query: ask.perMinute("", "poolscope_pool_leaks_total"), legend: "leaks" },
        ],
        unit: "cpm",
      }),
    ],
  };
}
