import type * as cog from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import type { DashboardLink, DynamicConfigValue } from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { type Frame, framed, type PanelBuilder, type Unit } from "./panels.ts";
import { refId, tableTargets } from "./targets.ts";
import { STATES, type Step, thresholds } from "./thresholds.ts";

interface Column {
  readonly title: string;
  readonly query: string;
  readonly unit: Unit;
  readonly steps?: readonly Step[];
  readonly show?: "gauge" | "state";
  readonly decimals?: number;
}

export interface TablePanel extends Frame {
  /** Labels that name a row, and their headings. */
  readonly rows: Readonly<Record<string, string>>;
  /** One query each; rows of the same labels become one. */
  readonly columns: readonly Column[];
  /** The heading of a column; the largest come first. */
  readonly sortBy: string;
  /** From the cells below a heading. */
  readonly links?: Readonly<Record<string, cog.Builder<DashboardLink>>>;
  /** What is said where there are no rows. */
  readonly empty?: string;
}

export function tablePanel(table: TablePanel): PanelBuilder {
  const { rows, columns, sortBy, links = {}, empty = "–", ...frame } = table;
  const fields = [...Object.keys(rows), ...columns.map((_, at) => valueField(columns.length, at))];
  const titles = [...Object.values(rows), ...columns.map(({ title }) => title)];
  const panel = framed(new TableBuilder(), { height: 10, ...frame })
    .unit("short")
    .noValue(empty)
    .filterable(true)
    .sortBy([new common.TableSortByFieldStateBuilder().displayName(sortBy).desc(true)])
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(fields.map((field, at) => [field, at])),
        renameByName: Object.fromEntries(fields.map((field, at) => [field, titles[at]])),
      },
    });
  for (const column of columns) panel.overrideByName(column.title, properties(column));
  for (const [heading, link] of Object.entries(links)) {
    panel.overrideByName(heading, [{ id: "links", value: [link.build()] }]);
  }
  for (const target of tableTargets(columns.map(({ query }) => query))) panel.withTarget(target);
  return panel;
}

/** As Grafana names them: plain where there is only one. */
function valueField(queries: number, at: number): string {
  return queries === 1 ? "Value" : `Value #${refId(at)}`;
}

function properties({ unit, steps, show, decimals }: Column): DynamicConfigValue[] {
  const all: DynamicConfigValue[] = [{ id: "unit", value: unit }];
  if (decimals !== undefined) all.push({ id: "decimals", value: decimals });
  if (steps) all.push({ id: "thresholds", value: thresholds(steps).build() });
  if (show === "gauge") {
    all.push({ id: "min", value: 0 }, { id: "max", value: 1 });
    all.push({ id: "custom.cellOptions", value: { type: "gauge", mode: "basic" } });
  } else if (show === "state") {
    all.push({ id: "mappings", value: STATES });
    all.push({ id: "custom.cellOptions", value: { type: "color-background", mode: "basic" } });
  } else if (steps) {
    all.push({ id: "custom.cellOptions", value: { type: "color-text" } });
  }
  return all;
}
