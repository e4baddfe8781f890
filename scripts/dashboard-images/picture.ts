import type { Answer, Series } from "../../test/support/dashboard-queries.ts";
import type { DashboardJson, PanelJson, StateJson, ThresholdJson } from "../../test/support/dashboards.ts";
import { chart, type Drawn, type Span } from "./chart.ts";
import { type Cell, colorOf, heatmap, stat, states, table } from "./panels.ts";
import { type Box, COLORS, FAINT, fitting, formatted, INK, rect, text } from "./svg.ts";

const COLUMN = 60;
const LINE = 34;
const GAP = 6;
const HEAD = 54;

/**
 * The data of a dashboard, laid out as its panels are. It is not Grafana's rendering, and does not try to be.
 *
 * @param rowsShown So many rows with a title, and what is above them.
 */
export function picture(
  dashboard: DashboardJson,
  answers: readonly Answer[],
  span: Span,
  rowsShown: number = Number.POSITIVE_INFINITY,
): string {
  const end =
    dashboard.panels.filter(({ type }) => type === "row")[rowsShown]?.gridPos.y ?? Number.POSITIVE_INFINITY;
  const panels = dashboard.panels.filter(({ gridPos }) => gridPos.y < end);
  const rows = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const [width, height] = [24 * COLUMN + GAP, rows * LINE + HEAD + GAP];
  const made = `${new Date(span.to * 1000).toISOString().slice(0, 10)}, ${Math.round((span.to - span.from) / 60)} minutes of the demo`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="${INK}">`,
    `<title>${dashboard.title.replace("&", "&amp;")}: its data, drawn from Prometheus' answers</title>`,
    rect({ x: 0, y: 0, width, height }, `fill="#f4f5f5"`),
    text(12, 26, dashboard.title, `font-size="19" font-weight="600"`),
    text(
      12,
      44,
      `Drawn from Prometheus' answers to the dashboard's queries; not Grafana's rendering. ${made}.`,
      `fill="${FAINT}"`,
    ),
    ...panels.map((panel) => panelAt(panel, dashboard.title, answers, span)),
    "</svg>\n",
  ].join("\n");
}

function panelAt(panel: PanelJson, dashboard: string, answers: readonly Answer[], span: Span): string {
  const { x, y, w, h } = panel.gridPos;
  const outer = { x: x * COLUMN + GAP, y: y * LINE + HEAD, width: w * COLUMN - GAP, height: h * LINE - GAP };
  if (panel.type === "row")
    return text(outer.x + 4, outer.y + 20, `▾ ${panel.title}`, `font-size="15" font-weight="600"`);
  const own = answers.filter(
    (one) => one.dashboard === dashboard && one.item === panel.title && one.refId !== "",
  );
  const inner = { x: outer.x, y: outer.y + 26, width: outer.width, height: outer.height - 26 };
  const isTile = panel.type === "stat" || panel.type === "gauge";
  return [
    `<g>`,
    rect(outer, `fill="#fff" stroke="#dcdfe3" rx="3"`),
    content(panel, inner, own, span),
    text(
      outer.x + 8,
      outer.y + 17,
      fitting(panel.title, outer.width - 8, 6.6),
      `font-size="12" font-weight="600"${isTile ? ` fill="#fff"` : ""}`,
    ),
    `</g>`,
  ].join("\n");
}

function content(panel: PanelJson, box: Box, own: readonly Answer[], span: Span): string {
  const {
    unit = "short",
    thresholds,
    mappings,
    noValue = "No data",
    ...look
  } = panel.fieldConfig?.defaults ?? {};
  const steps = thresholds?.steps ?? [];
  const series = own[0]?.series ?? [];
  switch (panel.type) {
    case "stat":
    case "gauge":
      return stat(box, series, unit, steps);
    case "heatmap":
      return heatmap(box, series, (panel.options as { yAxis: { unit: string } }).yAxis.unit, span);
    case "state-timeline":
      return states(box, lines(panel, own), mappings?.[0]?.options ?? {}, span);
    case "table":
      return tableOf(panel, box, own, noValue);
    default: {
      const { drawStyle, stacking } = look.custom ?? {};
      const style = drawStyle === "bars" ? "bars" : stacking?.mode === "normal" ? "stacked" : "lines";
      const numbered = steps.flatMap(({ value, color }) => (value === null ? [] : [{ value, color }]));
      return chart(box, lines(panel, own), { unit, style, max: look.max, steps: numbered }, span);
    }
  }
}

function lines(panel: PanelJson, own: readonly Answer[]): Drawn[] {
  const limits = (panel.fieldConfig?.overrides ?? []).map(({ matcher }) => matcher.options);
  return own.flatMap(({ legend, series }) =>
    series.map((one) => {
      const name = legend.replace(/\{\{(\w+)\}\}/g, (_, label) => one.metric[label] ?? "");
      return { name: name.trim() || panel.title, series: one, isLimit: limits.includes(name) };
    }),
  );
}

function tableOf(panel: PanelJson, box: Box, own: readonly Answer[], empty: string): string {
  const organize = panel.transformations?.find(({ id }) => id === "organize");
  const headings = Object.entries(organize?.options["renameByName"] as Record<string, string>);
  const labels = headings.filter(([field]) => !field.startsWith("Value")).map(([field]) => field);
  const keyOf = ({ metric }: Series) => labels.map((label) => metric[label] ?? "").join("\n");
  const keys = [...new Set(own.flatMap(({ series }) => series.map(keyOf)))];
  const sort = (panel.options as { sortBy: { displayName: string }[] }).sortBy[0]?.displayName;
  const value = (key: string, refId: string) =>
    own
      .find((one) => one.refId === refId)
      ?.series.find((one) => keyOf(one) === key)
      ?.values.at(-1)?.[1];
  const refOf = (field: string) => field.replace(/^Value( #)?/, "") || "A";
  const [sorted] = headings.find(([, heading]) => heading === sort) ?? [""];
  keys.sort((a, b) => (value(b, refOf(sorted)) ?? 0) - (value(a, refOf(sorted)) ?? 0));
  const rows = keys.map((key) =>
    headings.map(([field, heading]): Cell => {
      const at = labels.indexOf(field);
      return at >= 0
        ? { text: key.split("\n")[at] || "–" }
        : cellOf(panel, heading, value(key, refOf(field)));
    }),
  );
  return table(
    box,
    headings.map(([, heading]) => heading),
    rows,
    empty,
  );
}

function cellOf(panel: PanelJson, heading: string, value: number | undefined): Cell {
  const found =
    panel.fieldConfig?.overrides.find(({ matcher }) => matcher.options === heading)?.properties ?? [];
  const property = <T>(id: string) => found.find((one) => one.id === id)?.value as T | undefined;
  const [mapping] = property<{ options: Record<string, StateJson> }[]>("mappings") ?? [];
  const state = mapping?.options[String(value)];
  if (state) return { text: state.text, fill: COLORS[state.color] ?? state.color };
  const steps = property<{ steps: ThresholdJson[] }>("thresholds")?.steps;
  const color = steps && value !== undefined ? colorOf(value, steps) : undefined;
  const isGauge = property<{ type: string }>("custom.cellOptions")?.type === "gauge";
  const decimals = property<number>("decimals");
  const rounded = decimals === undefined || value === undefined ? value : Number(value.toFixed(decimals));
  return {
    text: formatted(rounded, property<string>("unit") ?? "short"),
    color,
    bar: isGauge ? (value ?? 0) : undefined,
  };
}
