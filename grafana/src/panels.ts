import type * as cog from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import type { Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import * as gauge from "@grafana/grafana-foundation-sdk/gauge";
import * as heatmap from "@grafana/grafana-foundation-sdk/heatmap";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as statetimeline from "@grafana/grafana-foundation-sdk/statetimeline";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";
import { type PoolLink, poolLink } from "./links.ts";
import { DATA_SOURCE, heatmapTarget, type Line, targets } from "./targets.ts";
import { dashedLine, NEUTRAL, STATES, type Step, thresholds } from "./thresholds.ts";

export type PanelBuilder = cog.Builder<Panel>;
export type Unit = "short" | "s" | "percentunit" | "ops" | "reqps" | "cps" | "cpm" | "none";

export interface Frame {
  /** Stays with the panel wherever it moves: links to it, and alerts, name it. */
  readonly id: number;
  readonly title: string;
  /** What it answers, and what its thresholds mean. */
  readonly description: string;
  /** Of 24. */
  readonly width: number;
  readonly height?: number;
}

export interface StatPanel extends Frame {
  readonly query: string;
  readonly unit: Unit;
  readonly steps?: readonly Step[];
  readonly decimals?: number;
}

/** One number with its recent course behind it, on the colour of its threshold. */
export function statPanel({ query, unit, steps = NEUTRAL, decimals, ...frame }: StatPanel): PanelBuilder {
  const panel = framed(new stat.PanelBuilder(), { height: 4, ...frame })
    .unit(unit)
    .noValue("0")
    .thresholds(thresholds(steps))
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.Area)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
  if (decimals !== undefined) panel.decimals(decimals);
  for (const target of targets([{ query }])) panel.withTarget(target);
  return panel;
}

/** A share of something that has an end. */
export function gaugePanel({ query, unit, steps = NEUTRAL, ...frame }: StatPanel): PanelBuilder {
  const panel = framed(new gauge.PanelBuilder(), { height: 4, ...frame })
    .unit(unit)
    .min(0)
    .max(1)
    .noValue("0")
    .thresholds(thresholds(steps))
    .showThresholdMarkers(true)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
  for (const target of targets([{ query }])) panel.withTarget(target);
  return panel;
}

export interface ChartPanel extends Frame {
  readonly lines: readonly Line[];
  readonly unit: Unit;
  readonly max?: number;
  readonly steps?: readonly Step[];
  readonly style?: "lines" | "stacked" | "bars";
  /** Legends of lines to draw dashed and unstacked: limits. */
  readonly limits?: readonly string[];
  readonly link?: PoolLink;
}

export function chartPanel(chart: ChartPanel): PanelBuilder {
  const { lines, unit, max, steps, style = "lines", limits = [], link, ...frame } = chart;
  const panel = framed(new timeseries.PanelBuilder(), { height: 8, ...frame })
    .unit(unit)
    .min(0)
    .lineWidth(style === "lines" ? 2 : 1)
    .fillOpacity({ lines: 5, stacked: 30, bars: 80 }[style])
    .showPoints(common.VisibilityMode.Never)
    .legend(legend())
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    );
  if (max !== undefined) panel.max(max);
  if (unit === "short") panel.axisSoftMax(1);
  if (style === "bars") panel.drawStyle(common.GraphDrawStyle.Bars);
  if (style !== "lines") {
    panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group("A"));
  }
  if (steps) {
    panel.thresholds(thresholds(steps));
    panel.thresholdsStyle(
      new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed),
    );
  }
  if (link) panel.dataLinks([poolLink(link)]);
  for (const name of limits) panel.overrideByName(name, dashedLine());
  for (const target of targets(lines)) panel.withTarget(target);
  return panel;
}

export interface HeatmapPanel extends Frame {
  readonly query: string;
  readonly unit: Unit;
}

/** Where the observations fell, over time: shows two humps, where a quantile shows a number between them. */
export function heatmapPanel({ query, unit, ...frame }: HeatmapPanel): PanelBuilder {
  const color = new heatmap.HeatmapColorOptionsBuilder();
  return framed(new heatmap.PanelBuilder(), { height: 8, ...frame })
    .unit("short")
    .calculate(false)
    .color(color.mode(heatmap.HeatmapColorMode.Scheme).scheme("Oranges").steps(64))
    .filterValues(new heatmap.FilterValueRangeBuilder().le(1e-9))
    .yAxis(new heatmap.YAxisConfigBuilder().unit(unit))
    .cellGap(1)
    .showLegend()
    .tooltip(new heatmap.HeatmapTooltipBuilder().mode(common.TooltipDisplayMode.Single).yHistogram(true))
    .withTarget(heatmapTarget(query));
}

export interface StatesPanel extends Frame {
  readonly line: Line;
  readonly link?: PoolLink;
}

/** A bar for each pool, in the colour of its state. */
export function statesPanel({ line, link, ...frame }: StatesPanel): PanelBuilder {
  const panel = framed(new statetimeline.PanelBuilder(), { height: 8, ...frame })
    .unit("none")
    .mappings(STATES)
    .showValue(common.VisibilityMode.Auto)
    .mergeValues(true)
    .rowHeight(0.85)
    .fillOpacity(80)
    .lineWidth(0)
    .legend(new common.VizLegendOptionsBuilder().showLegend(true).displayMode(common.LegendDisplayMode.List));
  if (link) panel.dataLinks([poolLink(link)]);
  for (const target of targets([line])) panel.withTarget(target);
  return panel;
}

interface Framed {
  id(id: number): this;
  title(title: string): this;
  description(description: string): this;
  span(width: number): this;
  height(height: number): this;
  datasource(source: common.DataSourceRef): this;
}

export function framed<B extends Framed>(builder: B, frame: Frame & { readonly height: number }): B {
  const { id, title, description, width, height } = frame;
  return builder
    .id(id)
    .title(title)
    .description(description)
    .span(width)
    .height(height)
    .datasource(DATA_SOURCE);
}

function legend(): common.VizLegendOptionsBuilder {
  return new common.VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(common.LegendDisplayMode.Table)
    .placement(common.LegendPlacement.Bottom)
    .calcs(["lastNotNull", "max"])
    .sortBy("Max")
    .sortDesc(true);
}
