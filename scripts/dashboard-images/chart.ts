import type { Series } from "../../test/support/dashboard-queries.ts";
import {
  area,
  type Box,
  COLORS,
  FAINT,
  fitting,
  formatted,
  GRID,
  line,
  rect,
  SERIES_COLORS,
  text,
} from "./svg.ts";

export interface Drawn {
  readonly name: string;
  readonly series: Series;
  /** Dashed, unstacked and red: a limit. */
  readonly isLimit: boolean;
}

export interface ChartStyle {
  readonly unit: string;
  readonly style: "lines" | "stacked" | "bars";
  readonly max?: number | undefined;
  readonly steps: readonly { readonly value: number; readonly color: string }[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

type Point = readonly [number, number];

const AXIS = 52;
const LEGEND_LINE = 15;
const MAX_LEGEND = 5;

export function chart(box: Box, drawn: readonly Drawn[], look: ChartStyle, span: Span): string {
  const shown = [...drawn].sort((a, b) => Number(a.isLimit) - Number(b.isLimit));
  const legendLines = Math.min(shown.length, MAX_LEGEND);
  const plot = {
    x: box.x + AXIS,
    y: box.y + 4,
    width: box.width - AXIS - 8,
    height: box.height - 24 - legendLines * LEGEND_LINE,
  };
  const stacks = look.style !== "lines";
  const bases = stacks ? stacked(shown.filter(({ isLimit }) => !isLimit)) : [];
  const highest = Math.max(
    ...shown.flatMap(({ series }) => numbers(series)),
    ...bases.flatMap(({ upper }) => upper.map(([, value]) => value)),
    0,
  );
  const top = look.max ?? niceTop(highest, look.unit);
  const x = (time: number) => plot.x + ((time - span.from) / (span.to - span.from)) * plot.width;
  const y = (value: number) => plot.y + plot.height - (Math.min(value, top) / top) * plot.height;
  const at = ([time, value]: Point): Point => [x(time), y(value)];
  const parts = [valueAxis(plot, top, look.unit), timeAxis(plot, span)];
  for (const { value, color } of look.steps.filter((step) => step.value <= top)) {
    parts.push(
      line(
        [
          [plot.x, y(value)],
          [plot.x + plot.width, y(value)],
        ],
        `stroke="${COLORS[color] ?? color}" stroke-dasharray="2 4"`,
      ),
    );
  }
  for (const [index, { upper, lower }] of bases.entries()) {
    const color = SERIES_COLORS[index % SERIES_COLORS.length];
    if (look.style === "stacked")
      parts.push(area(upper.map(at), lower.map(at), `fill="${color}" fill-opacity="0.45" stroke="${color}"`));
    else parts.push(...bars(upper, lower, at, plot.width / 150, color ?? FAINT));
  }
  for (const [index, { series, isLimit }] of shown.entries()) {
    if (stacks && !isLimit) continue;
    const look = isLimit
      ? `stroke="${COLORS["red"]}" stroke-dasharray="8 6"`
      : `stroke="${SERIES_COLORS[index % SERIES_COLORS.length]}" stroke-width="1.6"`;
    for (const run of runs(series)) parts.push(line(run.map(at), look));
  }
  parts.push(legend({ ...box, y: plot.y + plot.height + 30 }, shown, look.unit));
  return parts.join("\n");
}

/** Points between which nothing is missing. */
function runs({ values }: Series): Point[][] {
  const step = Math.min(...values.slice(1).map(([time], at) => time - (values[at]?.[0] ?? 0)));
  const found: Point[][] = [];
  for (const [time, value] of values) {
    if (Number.isNaN(value)) continue;
    const last = found.at(-1)?.at(-1);
    if (last && time - last[0] <= step * 1.5) found.at(-1)?.push([time, value]);
    else found.push([[time, value]]);
  }
  return found;
}

function stacked(drawn: readonly Drawn[]): { upper: Point[]; lower: Point[] }[] {
  const times = [...new Set(drawn.flatMap(({ series }) => series.values.map(([time]) => time)))].sort(
    (a, b) => a - b,
  );
  const heights = new Map(times.map((time) => [time, 0]));
  return drawn.map(({ series }) => {
    const own = new Map(series.values);
    const lower = times.map((time): Point => [time, heights.get(time) ?? 0]);
    for (const time of times) heights.set(time, (heights.get(time) ?? 0) + (own.get(time) || 0));
    return { lower, upper: times.map((time): Point => [time, heights.get(time) ?? 0]) };
  });
}

function bars(
  upper: Point[],
  lower: Point[],
  at: (point: Point) => Point,
  width: number,
  color: string,
): string[] {
  return upper.flatMap((point, index) => {
    const [x, top] = at(point);
    const [, bottom] = at(lower[index] ?? [0, 0]);
    return bottom - top < 0.1
      ? []
      : [rect({ x: x - width / 2, y: top, width, height: bottom - top }, `fill="${color}"`)];
  });
}

function valueAxis(plot: Box, top: number, unit: string): string {
  return [0, 0.5, 1]
    .map((share) => {
      const y = plot.y + plot.height * (1 - share);
      return (
        line(
          [
            [plot.x, y],
            [plot.x + plot.width, y],
          ],
          `stroke="${GRID}"`,
        ) +
        text(
          plot.x - 6,
          y + 4,
          formatted(top * share, unit),
          `fill="${FAINT}" font-size="10" text-anchor="end"`,
        )
      );
    })
    .join("");
}

export function timeAxis(plot: Box, { from, to }: Span): string {
  const every = [10, 30, 60, 120, 300].find((seconds) => (to - from) / seconds <= 6) ?? 600;
  const ticks = Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, tick) => tick * every);
  return ticks
    .map((seconds) => {
      const x = plot.x + (seconds / (to - from)) * plot.width;
      const label = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      return text(x, plot.y + plot.height + 14, label, `fill="${FAINT}" font-size="10" text-anchor="middle"`);
    })
    .join("");
}

function legend({ x, y, width }: Box, shown: readonly Drawn[], unit: string): string {
  return shown
    .slice(0, MAX_LEGEND)
    .map(({ name, series, isLimit }, index) => {
      const color = isLimit ? COLORS["red"] : SERIES_COLORS[index % SERIES_COLORS.length];
      const all = numbers(series);
      const more =
        index === MAX_LEGEND - 1 && shown.length > MAX_LEGEND ? ` … ${shown.length - MAX_LEGEND} more` : "";
      const at = y + index * LEGEND_LINE;
      return (
        rect({ x: x + 10, y: at - 6, width: 12, height: 4 }, `fill="${color}"`) +
        text(x + 28, at, fitting(name + more, width - 170), `font-size="11"`) +
        text(
          x + width - 10,
          at,
          `last ${formatted(all.at(-1), unit)}  max ${formatted(Math.max(...all), unit)}`,
          `fill="${FAINT}" font-size="10" text-anchor="end"`,
        )
      );
    })
    .join("\n");
}

function numbers({ values }: Series): number[] {
  return values.map(([, value]) => value).filter((value) => !Number.isNaN(value));
}

/** The next of 1, 2, 5 and their tenfolds. */
function niceTop(highest: number, unit: string): number {
  if (highest <= 0) return unit === "s" ? 0.01 : 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  const [nice = 10] = [1, 2, 5, 10].filter((step) => step * power >= highest);
  return nice * power;
}
