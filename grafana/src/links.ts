import { DashboardLinkBuilder, DashboardLinkType } from "@grafana/grafana-foundation-sdk/dashboard";

export const TAG = "poolscope";

export const UIDS = {
  overview: "poolscope-overview",
  pool: "poolscope-pool",
  fleet: "poolscope-fleet",
  routes: "poolscope-routes",
} as const;

/** Where the compose stack serves the runbooks: a file for each alert, of its name. */
export const RUNBOOKS = "http://localhost:9094/runbooks";

export function runbookLink(): DashboardLinkBuilder {
  return new DashboardLinkBuilder("Runbook")
    .url(`\${runbooks}/\${__value.text:percentencode}`)
    .targetBlank(true);
}

/** Between the dashboards, keeping what is selected. */
export function menu(): DashboardLinkBuilder {
  return new DashboardLinkBuilder("Poolscope")
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true);
}

/** From where a link knows its pool: the labels of a series, or the columns of a table's row. */
export type PoolLink = "series of an instance" | "series of a service" | "row";

/** To the pool that was clicked. */
export function poolLink(from: PoolLink): DashboardLinkBuilder {
  // Names are whatever an application, or a sender to the Collector, calls its pools: an & must begin no parameter.
  const label = (name: string) => `\${__field.labels.${name}:percentencode}`;
  const column = (name: string) => `\${__data.fields["${name}"]:percentencode}`;
  const isRow = from === "row";
  const values = {
    job: isRow ? column("Service") : label("job"),
    instance:
      { row: column("Instance"), "series of an instance": label("instance") }[from as string] ?? "$__all",
    pool: isRow ? column("Pool") : label("db_client_connection_pool_name"),
  };
  const variables = Object.entries(values).map(([name, value]) => `var-${name}=${value}`);
  const query = [`\${datasource:queryparam}`, ...variables, `\${__url_time_range}`].join("&");
  return new DashboardLinkBuilder("This pool").url(`/d/${UIDS.pool}?${query}`);
}
