import { runbookLink } from "./links.ts";
import { chartPanel, type Frame, heatmapPanel, type PanelBuilder } from "./panels.ts";
import * as ask from "./queries.ts";
import { tablePanel } from "./table.ts";
import type { Line } from "./targets.ts";
import type { Step } from "./thresholds.ts";

export const OF_INSTANCE = "{{db_client_connection_pool_name}} · {{instance}}";
export const OF_SERVICE = "{{db_client_connection_pool_name}} · {{job}}";

export function quantiles(histogram: string): Line[] {
  return [
    { query: ask.quantile(0.99, "", histogram), legend: "p99" },
    { query: ask.quantile(0.95, "", histogram), legend: "p95" },
    { query: ask.quantile(0.5, "", histogram), legend: "p50" },
  ];
}

/** Two views of one histogram, side by side: the even id is the heatmap's, the next one that of the quantiles. */
export function durations(
  id: number,
  histogram: string,
  title: string,
  description: string,
  steps?: readonly Step[],
): PanelBuilder[] {
  const frame: Frame = { id, title: `${title}, distribution`, description, width: 12 };
  return [
    heatmapPanel({ ...frame, query: ask.buckets(histogram), unit: "s" }),
    chartPanel({
      ...frame,
      id: id + 1,
      title: `${title}, quantiles`,
      lines: quantiles(histogram),
      unit: "s",
      ...(steps ? { steps } : {}),
    }),
  ];
}

export function firingAlerts(frame: Frame): PanelBuilder {
  return tablePanel({
    ...frame,
    rows: {
      alertname: "Alert",
      severity: "Severity",
      job: "Service",
      instance: "Instance",
      db_client_connection_pool_name: "Pool",
    },
    columns: [{ title: "For", query: ask.ALERT_AGES, unit: "s" }],
    sortBy: "For",
    links: { Alert: runbookLink() },
    empty: "No alert is firing",
  });
}
