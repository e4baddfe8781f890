import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboard, type Row } from "./dashboard.ts";
import { RUNBOOKS, UIDS } from "./links.ts";
import { chartPanel, gaugePanel, type PanelBuilder, statesPanel, statPanel } from "./panels.ts";
import * as ask from "./queries.ts";
import { durations, firingAlerts, OF_INSTANCE, OF_SERVICE } from "./shared.ts";
import * as steps from "./thresholds.ts";

/** Is a pool the trouble, which one, and since when? */
export function overview(): Dashboard {
  return dashboard({
    uid: UIDS.overview,
    title: "Poolscope / Overview",
    description: "Whether a connection pool is the trouble, which one, and since when.",
    pools: "many",
    texts: { runbooks: RUNBOOKS },
    top: [...strip(), ...now()],
    rows: [connections(), waiting(), queries(), faults()],
  });
}

function strip(): PanelBuilder[] {
  return [
    statPanel({
      id: 1,
      title: "Alerts firing",
      description: "Alerts of the bundled rules that are firing. Red from the first one.",
      width: 3,
      query: ask.FIRING_COUNT,
      unit: "short",
      steps: steps.NONE,
    }),
    gaugePanel({
      id: 2,
      title: "Fullest pool",
      description:
        "Used connections divided by the limit, of the fullest pool in any one process. Yellow from 75 %, red from 90 %. Full alone is no fault; full with callers waiting is.",
      width: 3,
      query: ask.worstUtilization(""),
      unit: "percentunit",
      steps: steps.UTILIZATION,
    }),
    statPanel({
      id: 3,
      title: "Callers waiting",
      description: "Callers queued for a connection at this moment, of all selected pools. Red from 5.",
      width: 3,
      query: ask.gauge("", "db_client_connection_pending_requests"),
      unit: "short",
      steps: steps.WAITING,
    }),
    statPanel({
      id: 4,
      title: "Oldest wait",
      description:
        "How long the caller that has waited longest has been waiting. Yellow from 0.1 s, red from 0.5 s. Rising without end: nothing comes back to the pool.",
      width: 3,
      query: ask.maxBy("", ask.metric("poolscope_pool_oldest_wait_seconds")),
      unit: "s",
      steps: steps.WAIT_SECONDS,
    }),
    statPanel({
      id: 5,
      title: "Wait p99",
      description:
        "99 of 100 requests for a connection were answered within this time, dials included. Yellow from 0.1 s, red from 0.5 s.",
      width: 3,
      query: ask.quantile(0.99, "", ask.WAIT),
      unit: "s",
      steps: steps.WAIT_SECONDS,
    }),
    statPanel({
      id: 6,
      title: "Callers that gave up",
      description:
        "Timeouts a minute: requests that failed because no connection became free, or because theirs took too long to open. Red from the first one.",
      width: 3,
      query: ask.perMinute("", "db_client_connection_timeouts_total"),
      unit: "cpm",
      steps: steps.NONE,
    }),
    statPanel({
      id: 7,
      title: "Failed connects",
      description: "Attempts to open a connection that failed, a minute. Red from the first one.",
      width: 3,
      query: ask.perMinute("", "poolscope_pool_connect_failures_total"),
      unit: "cpm",
      steps: steps.NONE,
    }),
    statPanel({
      id: 8,
      title: "Failed queries",
      description: "Failed queries among all. Yellow from 1 %, red from 5 %.",
      width: 3,
      query: ask.errorRatio(""),
      unit: "percentunit",
      steps: steps.ERROR_RATIO,
    }),
  ];
}

function now(): PanelBuilder[] {
  return [
    statesPanel({
      id: 9,
      title: "State of each pool",
      description:
        "The worst state of the pool in any process. Busy: 75 % or more in use. Callers wait: somebody is queued. Connects fail: connections could not be opened. Stuck: callers wait and nothing was handed out or returned for 5 s.",
      width: 16,
      line: { query: ask.maxBy(ask.SERVICE_POOL, ask.state()), legend: OF_SERVICE },
      link: "series of a service",
    }),
    firingAlerts({
      id: 10,
      title: "Firing alerts",
      description:
        "What the bundled rules say is wrong, and for how long. Each alert has a runbook of its name.",
      width: 8,
      height: 8,
    }),
  ];
}

function connections(): Row {
  return {
    id: 100,
    title: "Connections",
    panels: [
      chartPanel({
        id: 101,
        title: "Used, idle, connecting",
        description:
          "Connections of all selected pools by state, below the sum of their limits. Used up to the line: the next caller waits.",
        width: 12,
        lines: [
          { query: ask.used(""), legend: "used" },
          { query: ask.idle(""), legend: "idle" },
          { query: ask.gauge("", "poolscope_pool_connecting"), legend: "connecting" },
          { query: ask.limit(""), legend: "limit" },
        ],
        unit: "short",
        style: "stacked",
        limits: ["limit"],
      }),
      chartPanel({
        id: 102,
        title: "Utilization of the fullest pools",
        description:
          "Used connections divided by the limit, of the ten fullest pools in single processes. Yellow from 75 %, red from 90 %.",
        width: 12,
        lines: [{ query: ask.top(10, ask.utilization(ask.POOL)), legend: OF_INSTANCE }],
        unit: "percentunit",
        max: 1,
        steps: steps.UTILIZATION,
        link: "series of an instance",
      }),
      chartPanel({
        id: 103,
        title: "Connections busy on average",
        description:
          "Seconds that connections were held, per second: how many were in use on average, with what came and went between two scrapes. Long holds appear when they end.",
        width: 12,
        lines: [{ query: ask.atOnce(ask.SERVICE_POOL, ask.USE), legend: OF_SERVICE }],
        unit: "short",
        style: "stacked",
        link: "series of a service",
      }),
      chartPanel({
        id: 104,
        title: "Callers waiting by pool",
        description:
          "Callers queued for a connection, by pool: at the scrape, and the most at once between scrapes.",
        width: 12,
        lines: [
          {
            query: ask.gauge(ask.SERVICE_POOL, "db_client_connection_pending_requests"),
            legend: `waiting, ${OF_SERVICE}`,
          },
          {
            query: ask.maxBy(ask.SERVICE_POOL, ask.metric("poolscope_pool_peak_pending")),
            legend: `peak in a process, ${OF_SERVICE}`,
          },
        ],
        unit: "short",
        link: "series of a service",
      }),
    ],
  };
}

function waiting(): Row {
  return {
    id: 200,
    title: "Waiting, holding, connecting",
    panels: [
      chartPanel({
        id: 201,
        title: "Oldest wait by pool",
        description:
          "Age of the caller that has waited longest, of the ten pools where it is highest. A line that climbs and never falls: nothing comes back.",
        width: 24,
        height: 6,
        lines: [
          {
            query: ask.top(10, ask.maxBy(ask.POOL, ask.metric("poolscope_pool_oldest_wait_seconds"))),
            legend: OF_INSTANCE,
          },
        ],
        unit: "s",
        link: "series of an instance",
      }),
      ...durations(
        202,
        ask.WAIT,
        "Wait for a connection",
        "From the request until a connection was handed out, dial included.",
        steps.WAIT_SECONDS,
      ),
      ...durations(
        204,
        ask.USE,
        "Hold of a connection",
        "From handing a connection out until it was released. Long holds, not many queries, are what mostly empties a pool.",
      ),
      ...durations(
        206,
        ask.CREATE,
        "Opening a connection",
        "From the start of a dial until the connection was ready. Slow here: network, TLS, or a server at its limits.",
      ),
    ],
  };
}

function queries(): Row {
  return {
    id: 300,
    title: "Queries",
    panels: [
      chartPanel({
        id: 301,
        title: "Queries",
        description: "Queries a second, by SQL verb.",
        width: 12,
        lines: [
          { query: ask.rate("db_operation_name", `${ask.DURATION}_count`), legend: "{{db_operation_name}}" },
        ],
        unit: "ops",
        style: "stacked",
      }),
      chartPanel({
        id: 302,
        title: "Failed queries by error",
        description:
          "Failed queries a minute, by SQLSTATE, Node error code, query_timeout or connection_lost.",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute("error_type", "poolscope_query_errors_total"),
            legend: "{{error_type}}",
          },
        ],
        unit: "cpm",
        style: "bars",
      }),
      ...durations(
        304,
        ask.DURATION,
        "Query",
        "From the call of query until the answer was complete. Slow here and quick to get a connection: it is the database, not the pool.",
        steps.QUERY_SECONDS,
      ),
    ],
  };
}

function faults(): Row {
  return {
    id: 400,
    title: "What went wrong",
    panels: [
      chartPanel({
        id: 401,
        title: "Callers that gave up, by pool",
        description:
          "Timeouts a minute: no connection became free (wait_timeout), or theirs took too long to open (dial_timeout).",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute(
              `${ask.SERVICE_POOL}, error_type`,
              "db_client_connection_timeouts_total",
            ),
            legend: `{{error_type}}, ${OF_SERVICE}`,
          },
        ],
        unit: "cpm",
        style: "bars",
        link: "series of a service",
      }),
      chartPanel({
        id: 402,
        title: "Failed connects by error",
        description:
          "Connections that could not be opened, a minute, by SQLSTATE (28P01 wrong password, 53300 too many connections) or Node error code.",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute(
              `${ask.SERVICE_POOL}, error_type`,
              "poolscope_pool_connect_failures_total",
            ),
            legend: `{{error_type}}, ${OF_SERVICE}`,
          },
        ],
        unit: "cpm",
        style: "bars",
        link: "series of a service",
      }),
      chartPanel({
        id: 403,
        title: "Closed connections by reason",
        description:
          "Connections closed a minute. idle and lifetime are housekeeping; query_error, connection_lost and half_open are not.",
        width: 12,
        lines: [{ query: ask.kindsPerMinute("reason", "poolscope_pool_closes_total"), legend: "{{reason}}" }],
        unit: "cpm",
        style: "bars",
      }),
      chartPanel({
        id: 404,
        title: "Suspected leaks",
        description:
          "Connections held for longer than leakAfterMillis and not returned. The log and GET /health/database name the place of the checkout.",
        width: 12,
        lines: [{ query: ask.gauge(ask.SERVICE_POOL, "poolscope_pool_leaked"), legend: OF_SERVICE }],
        unit: "short",
        link: "series of a service",
      }),
    ],
  };
}
