import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboard, type Row } from "./dashboard.ts";
import { UIDS } from "./links.ts";
import { chartPanel, heatmapPanel, type PanelBuilder, statPanel } from "./panels.ts";
import * as ask from "./queries.ts";
import { quantiles } from "./shared.ts";
import { tablePanel } from "./table.ts";
import * as steps from "./thresholds.ts";

const ROUTE = "{{http_route}}";
const VERB = "{{db_operation_name}}";

/** Which routes and queries take the connections, and which are slow. */
export function routes(): Dashboard {
  return dashboard({
    uid: UIDS.routes,
    title: "Poolscope / Routes & queries",
    description:
      "Which routes keep the connections busy and which wait for them; which queries are slow, fail, or return much.",
    pools: "many",
    top: [...strip(), routeTable(), queryTable()],
    rows: [byRoute(), byQuery()],
  });
}

function strip(): PanelBuilder[] {
  return [
    statPanel({
      id: 1,
      title: "Query rate",
      description: "Queries a second, failed ones included.",
      width: 4,
      query: ask.rate("", `${ask.DURATION}_count`),
      unit: "ops",
    }),
    statPanel({
      id: 2,
      title: "Query p95",
      description: "95 of 100 queries were answered within this time. Yellow from 0.5 s, red from 1 s.",
      width: 4,
      query: ask.quantile(0.95, "", ask.DURATION),
      unit: "s",
      steps: steps.QUERY_SECONDS,
    }),
    statPanel({
      id: 3,
      title: "Failed queries",
      description: "Failed queries among all. Yellow from 1 %, red from 5 %.",
      width: 4,
      query: ask.errorRatio(""),
      unit: "percentunit",
      steps: steps.ERROR_RATIO,
    }),
    statPanel({
      id: 4,
      title: "Slow queries",
      description:
        "Queries a minute that took longer than slowQueryMillis, 1 s by default. The log and scope.slowQueries() have their texts.",
      width: 4,
      query: ask.perMinute("", "poolscope_query_slow_total"),
      unit: "cpm",
      steps: steps.NONE,
    }),
    statPanel({
      id: 5,
      title: "Queries at once",
      description: "Seconds of queries per second: how many were under way on average.",
      width: 4,
      query: ask.atOnce("", ask.DURATION),
      unit: "short",
      decimals: 2,
    }),
    statPanel({
      id: 6,
      title: "Routes that use a pool",
      description: "Routes that took connections just now, as scope.routes() measures them.",
      width: 4,
      query: `count(${ask.rate("http_route", `${ask.ROUTE_USE}_count`)} > 0)`,
      unit: "short",
    }),
  ];
}

function routeTable(): PanelBuilder {
  const by = "http_route";
  return tablePanel({
    id: 7,
    title: "Routes",
    description:
      "Over the time range, those that keep most connections busy first: shortening their holds frees the most. Queries per hold: many small ones may be one. With scope.routes().",
    width: 24,
    height: 9,
    rows: { http_route: "Route" },
    columns: [
      { title: "Connections busy", query: ask.atOnceInRange(by, ask.ROUTE_USE), unit: "short", decimals: 2 },
      { title: "Holds", query: `${ask.inRange(by, `${ask.ROUTE_USE}_count`)} / $__range_s`, unit: "reqps" },
      {
        title: "Wait p95",
        query: ask.quantileInRange(0.95, by, ask.ROUTE_WAIT),
        unit: "s",
        steps: steps.WAIT_SECONDS,
      },
      { title: "Hold p95", query: ask.quantileInRange(0.95, by, ask.ROUTE_USE), unit: "s" },
      {
        title: "Query p95",
        query: ask.quantileInRange(0.95, by, ask.ROUTE_QUERY),
        unit: "s",
        steps: steps.QUERY_SECONDS,
      },
      {
        title: "Queries per hold",
        query: `${ask.inRange(by, `${ask.ROUTE_QUERY}_count`)} / (${ask.inRange(by, `${ask.ROUTE_USE}_count`)} > 0)`,
        unit: "short",
        decimals: 1,
      },
    ],
    sortBy: "Connections busy",
  });
}

function queryTable(): PanelBuilder {
  return tablePanel({
    id: 8,
    title: "Queries",
    description:
      "Over the time range, those that take most of the database's time first. Names are those of queryName; queries without one share a row.",
    width: 24,
    height: 9,
    rows: { db_operation_name: "Verb", db_query_summary: "Name" },
    columns: [
      { title: "At once", query: ask.atOnceInRange(ask.QUERY, ask.DURATION), unit: "short", decimals: 2 },
      {
        title: "Queries",
        query: `${ask.inRange(ask.QUERY, `${ask.DURATION}_count`)} / $__range_s`,
        unit: "ops",
      },
      { title: "p50", query: ask.quantileInRange(0.5, ask.QUERY, ask.DURATION), unit: "s" },
      {
        title: "p95",
        query: ask.quantileInRange(0.95, ask.QUERY, ask.DURATION),
        unit: "s",
        steps: steps.QUERY_SECONDS,
      },
      {
        title: "Failed",
        query: ask.errorRatioInRange(ask.QUERY),
        unit: "percentunit",
        steps: steps.ERROR_RATIO,
      },
      { title: "Rows on average", query: ask.mean(ask.QUERY, ask.ROWS), unit: "short", decimals: 1 },
    ],
    sortBy: "At once",
  });
}

function byRoute(): Row {
  const p95 = (histogram: string) => [
    { query: ask.top(10, ask.quantile(0.95, "http_route", histogram)), legend: ROUTE },
  ];
  return {
    id: 100,
    title: "Routes",
    panels: [
      chartPanel({
        id: 101,
        title: "Connections busy by route",
        description:
          "Seconds that requests held connections, per second: how many each route keeps busy on average. The ten largest.",
        width: 12,
        lines: [{ query: ask.top(10, ask.atOnce("http_route", ask.ROUTE_USE)), legend: ROUTE }],
        unit: "short",
        style: "stacked",
      }),
      chartPanel({
        id: 102,
        title: "Wait for a connection by route, p95",
        description:
          "95 of 100 waits were no longer. All routes of a pool alike: the pool is the trouble. The ten longest.",
        width: 12,
        lines: p95(ask.ROUTE_WAIT),
        unit: "s",
        steps: steps.WAIT_SECONDS,
      }),
      chartPanel({
        id: 103,
        title: "Hold of a connection by route, p95",
        description:
          "95 of 100 holds were no longer. Holds far longer than the queries: work is done while a connection is kept. The ten longest.",
        width: 12,
        lines: p95(ask.ROUTE_USE),
        unit: "s",
      }),
      chartPanel({
        id: 104,
        title: "Queries by route, p95",
        description: "95 of 100 queries of the route took no longer. The ten longest.",
        width: 12,
        lines: p95(ask.ROUTE_QUERY),
        unit: "s",
        steps: steps.QUERY_SECONDS,
      }),
    ],
  };
}

function byQuery(): Row {
  return {
    id: 200,
    title: "Queries",
    panels: [
      chartPanel({
        id: 201,
        title: "Queries by verb",
        description: "Queries a second.",
        width: 12,
        lines: [{ query: ask.rate("db_operation_name", `${ask.DURATION}_count`), legend: VERB }],
        unit: "ops",
        style: "stacked",
      }),
      chartPanel({
        id: 202,
        title: "Queries at once by verb",
        description: "Seconds of queries per second: how many were under way on average.",
        width: 12,
        lines: [{ query: ask.atOnce("db_operation_name", ask.DURATION), legend: VERB }],
        unit: "short",
        style: "stacked",
      }),
      heatmapPanel({
        id: 203,
        title: "Query, distribution",
        description: "From the call of query until the answer was complete.",
        width: 12,
        query: ask.buckets(ask.DURATION),
        unit: "s",
      }),
      chartPanel({
        id: 204,
        title: "Query, quantiles",
        description: "From the call of query until the answer was complete. Yellow from 0.5 s, red from 1 s.",
        width: 12,
        lines: quantiles(ask.DURATION),
        unit: "s",
        steps: steps.QUERY_SECONDS,
      }),
      chartPanel({
        id: 205,
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
      chartPanel({
        id: 206,
        title: "Slow queries by pool",
        description: "Queries a minute that took longer than slowQueryMillis, 1 s by default.",
        width: 12,
        lines: [
          {
            query: ask.kindsPerMinute(ask.SERVICE_POOL, "poolscope_query_slow_total"),
            legend: "{{db_client_connection_pool_name}} · {{job}}",
          },
        ],
        unit: "cpm",
        style: "bars",
        link: "series of a service",
      }),
      chartPanel({
        id: 207,
        title: "Returned rows, p95",
        description:
          "95 of 100 queries that return rows returned no more. Climbing with the data: a LIMIT is missing.",
        width: 24,
        height: 6,
        lines: [
          {
            query: ask.top(10, ask.quantile(0.95, ask.QUERY, ask.ROWS)),
            legend: `${VERB} · {{db_query_summary}}`,
          },
        ],
        unit: "short",
      }),
    ],
  };
}
