import type { DataSourceRef } from "@grafana/grafana-foundation-sdk/common";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";

/** Whatever data source is chosen above the dashboard. */
export const DATA_SOURCE: DataSourceRef = { type: "prometheus", uid: `\${datasource}` };

export interface Line {
  readonly query: string;
  /** A text, or a template such as `{{instance}}`. */
  readonly legend?: string;
}

/** Over time. */
export function targets(lines: readonly Line[]): DataqueryBuilder[] {
  return lines.map(({ query, legend = "" }, at) => target(query, at).range().legendFormat(legend));
}

/** As of the end of the time range. */
export function tableTargets(queries: readonly string[]): DataqueryBuilder[] {
  return queries.map((query, at) => target(query, at).instant().format(PromQueryFormat.Table));
}

export function heatmapTarget(query: string): DataqueryBuilder {
  return target(query, 0).range().format(PromQueryFormat.Heatmap).legendFormat("{{le}}");
}

export function refId(at: number): string {
  return String.fromCharCode("A".charCodeAt(0) + at);
}

function target(query: string, at: number): DataqueryBuilder {
  return new DataqueryBuilder().expr(query).refId(refId(at)).datasource(DATA_SOURCE);
}
