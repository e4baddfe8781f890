/** Just enough of SVG for charts. Coordinates are pixels. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const INK = "#24292e";
export const FAINT = "#6e7781";
export const GRID = "#e4e7ea";

export const SERIES_COLORS: readonly string[] = [
  "#3d9a50",
  "#d9a400",
  "#3274d9",
  "#e0752d",
  "#c4162a",
  "#8f3bb8",
  "#19a3a3",
  "#8a6d3b",
  "#e24d87",
  "#5a6872",
];

/** Grafana's names of colours. */
export const COLORS: Readonly<Record<string, string>> = {
  green: "#56a64b",
  yellow: "#e0b400",
  orange: "#ff780a",
  red: "#e02f44",
  "dark-red": "#9d1626",
  blue: "#3274d9",
};

export function rect({ x, y, width, height }: Box, attributes: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}" ${attributes}/>`;
}

export function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

export function line(points: readonly (readonly [number, number])[], attributes: string): string {
  return `<polyline points="${points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ")}" fill="none" ${attributes}/>`;
}

export function area(
  upper: readonly (readonly [number, number])[],
  lower: readonly (readonly [number, number])[],
  attributes: string,
): string {
  const points = [...upper, ...[...lower].reverse()];
  return `<polygon points="${points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ")}" ${attributes}/>`;
}

/** Cut so that it fits, at about 6 pixels a letter of 11. */
export function fitting(content: string, width: number, letter = 6): string {
  const letters = Math.max(3, Math.floor(width / letter));
  return content.length > letters ? `${content.slice(0, letters - 1)}…` : content;
}

/** As Grafana would write it, roughly. */
export function formatted(value: number | undefined, unit: string): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (unit === "percentunit") return `${plain(value * 100)} %`;
  if (unit === "s") return seconds(value);
  const suffix = { cpm: "/min", ops: "/s", reqps: "/s", cps: "/s" }[unit] ?? "";
  return `${plain(value)}${suffix}`;
}

function seconds(value: number): string {
  if (value === 0) return "0 s";
  if (value < 0.001) return `${plain(value * 1e6)} µs`;
  if (value < 1) return `${plain(value * 1000)} ms`;
  return value < 120 ? `${plain(value)} s` : `${plain(value / 60)} min`;
}

function plain(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
