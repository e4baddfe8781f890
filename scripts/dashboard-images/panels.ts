import type { Series } from "../../test/support/dashboard-queries.ts";
import type { StateJson, ThresholdJson } from "../../test/support/dashboards.ts";
import { type Span, timeAxis } from "./chart.ts";
import { area, type Box, COLORS, FAINT, fitting, formatted, GRID, INK, line, rect, text } from "./svg.ts";

/** The last number large, on the colour of its threshold, with its course below. */
export function stat(
  box: Box,
  series: readonly Series[],
  unit: string,
  steps: readonly ThresholdJson[],
): string {
  const values = (series[0]?.values ?? []).filter(([, value]) => !Number.isNaN(value));
  const last = values.at(-1)?.[1] ?? 0;
  const highest = Math.max(...values.map(([, value]) => value), 1e-9);
  const [first, end] = [values[0]?.[0] ?? 0, values.at(-1)?.[0] ?? 1];
  const at = ([time, value]: readonly [number, number]) =>
    [
      box.x + ((time - first) / Math.max(1, end - first)) * box.width,
      box.y + box.height - (value / highest) * box.height * 0.4,
    ] as const;
  const floor = values.map(([time]) => at([time, 0]));
  return [
    rect(
      { ...box, y: box.y - 26, height: box.height + 26 },
      `fill="${colorOf(last, steps)}" fill-opacity="0.9" rx="3"`,
    ),
    values.length > 1 ? area(values.map(at), floor, `fill="#fff" fill-opacity="0.25"`) : "",
    text(
      box.x + box.width / 2,
      box.y + box.height / 2 + 8,
      formatted(last, unit),
      `fill="#fff" font-size="26" font-weight="600" text-anchor="middle"`,
    ),
  ].join("\n");
}

/** Rows of columns; numbers on the right, shares as bars. */
export interface Cell {
  readonly text: string;
  readonly color?: string | undefined;
  readonly bar?: number | undefined;
  readonly fill?: string | undefined;
}

export function table(
  box: Box,
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty: string,
): string {
  // The first names the row.
  const width = box.width / (headings.length + 1);
  const left = (at: number) => box.x + (at === 0 ? 0 : at + 1) * width;
  const parts = headings.map((heading, at) =>
    text(
      left(at) + 8,
      box.y + 14,
      fitting(heading, width - 8),
      `font-size="11" font-weight="600" fill="${FAINT}"`,
    ),
  );
  if (rows.length === 0)
    parts.push(
      text(box.x + box.width / 2, box.y + box.height / 2, empty, `fill="${FAINT}" text-anchor="middle"`),
    );
  const fitted = rows.slice(0, Math.floor((box.height - 24) / 24));
  for (const [row, cells] of fitted.entries()) {
    const y = box.y + 22 + row * 24;
    parts.push(
      line(
        [
          [box.x + 4, y],
          [box.x + box.width - 4, y],
        ],
        `stroke="${GRID}"`,
      ),
    );
    for (const [at, cell] of cells.entries()) {
      const x = left(at);
      if (cell.fill)
        parts.push(rect({ x: x + 4, y: y + 2, width: width - 8, height: 20 }, `fill="${cell.fill}" rx="2"`));
      if (cell.bar !== undefined) {
        const bar = { x: x + 8, y: y + 5, width: (width - 70) * Math.min(1, cell.bar), height: 14 };
        parts.push(
          rect({ ...bar, width: width - 70 }, `fill="${GRID}"`),
          rect(bar, `fill="${cell.color ?? COLORS["green"]}"`),
        );
      }
      const color = cell.fill ? "#fff" : (cell.bar === undefined && cell.color) || INK;
      const place = cell.bar === undefined ? x + 8 : x + width - 56;
      parts.push(
        text(
          place,
          y + 16,
          fitting(cell.text, (at === 0 ? 2 * width : width) - 10),
          `font-size="11" fill="${color}"`,
        ),
      );
    }
  }
  return parts.join("\n");
}

/** Cumulative buckets over time, taken apart again. */
export function heatmap(box: Box, series: readonly Series[], unit: string, span: Span): string {
  const sorted = [...series].sort((a, b) => bound(a) - bound(b));
  const plot = { x: box.x + 52, y: box.y + 4, width: box.width - 60, height: box.height - 26 };
  const height = plot.height / sorted.length;
  const times = sorted[0]?.values.map(([time]) => time) ?? [];
  const counts = sorted.map((one, at) => {
    const below = new Map(sorted[at - 1]?.values);
    return new Map(one.values.map(([time, value]) => [time, value - (below.get(time) ?? 0)]));
  });
  const most = Math.max(...counts.flatMap((row) => [...row.values()]), 1e-9);
  const width = plot.width / Math.max(1, times.length);
  const parts = [timeAxis(plot, span)];
  for (const [row, cells] of counts.entries()) {
    const y = plot.y + plot.height - (row + 1) * height;
    for (const [time, count] of cells) {
      if (!(count > 1e-9)) continue;
      const x = plot.x + ((time - span.from) / (span.to - span.from)) * plot.width;
      parts.push(
        rect(
          { x: x - width, y, width: width + 0.2, height: height - 1 },
          `fill="#d9480f" fill-opacity="${(0.12 + 0.88 * Math.sqrt(count / most)).toFixed(2)}"`,
        ),
      );
    }
    const label = Number.isFinite(bound(sorted[row] as Series))
      ? formatted(bound(sorted[row] as Series), unit)
      : "∞";
    if (row % Math.ceil(sorted.length / 9) === 0) {
      parts.push(text(plot.x - 6, y + 4, label, `fill="${FAINT}" font-size="10" text-anchor="end"`));
    }
  }
  return parts.join("\n");
}

/** One bar for each series, its stretches in the colours of their states. */
export function states(
  box: Box,
  rows: readonly { name: string; series: Series }[],
  names: Readonly<Record<string, StateJson>>,
  span: Span,
): string {
  const plot = { x: box.x + 150, y: box.y + 6, width: box.width - 160, height: box.height - 50 };
  const height = plot.height / Math.max(1, rows.length);
  const parts = [timeAxis(plot, span)];
  for (const [row, { name, series }] of rows.entries()) {
    const y = plot.y + row * height + height * 0.1;
    parts.push(text(plot.x - 8, y + height * 0.45, fitting(name, 140), `font-size="11" text-anchor="end"`));
    const step = plot.width / Math.max(1, series.values.length);
    for (const [time, value] of series.values) {
      const x = plot.x + ((time - span.from) / (span.to - span.from)) * plot.width;
      const color = names[String(value)]?.color ?? "";
      parts.push(
        rect({ x: x - step, y, width: step + 0.4, height: height * 0.8 }, `fill="${COLORS[color] ?? color}"`),
      );
    }
  }
  for (const [at, { text: label, color }] of Object.values(names).entries()) {
    const x = plot.x + at * 130;
    parts.push(
      rect({ x, y: box.y + box.height - 16, width: 12, height: 8 }, `fill="${COLORS[color] ?? color}"`),
    );
    parts.push(text(x + 18, box.y + box.height - 8, label, `font-size="11"`));
  }
  return parts.join("\n");
}

export function colorOf(value: number, steps: readonly ThresholdJson[]): string {
  const color = steps.filter((step) => step.value === null || value >= step.value).at(-1)?.color ?? "green";
  return COLORS[color] ?? color;
}

function bound({ metric }: Series): number {
  return metric["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(metric["le"]);
}
