import type { Attributes } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import type { MetricSpec } from "./semconv.ts";

/** One pool or so. Larger ones take half as long again: V8 and malloc ask the system for each of them anew. */
const PIECE_LENGTH = 2 ** 16;

/** A histogram as the text tells it. */
export interface CountedHistogram {
  readonly boundaries: readonly number[];
  /** Of each bucket alone; the last is what is above all boundaries. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum?: number | undefined;
}

/** The series of one metric, to be written one after the other. */
export interface MetricSeries {
  readonly spec: MetricSpec;
  readonly length: number;
  write(series: number, lines: PrometheusLines): void;
}

/**
 * Metrics in the text exposition format, under the names the Collector gives them, so that one dashboard serves both ways:
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 *
 * Line for line what `PrometheusSerializer` of OpenTelemetry writes (a test compares them) in a fraction of its time: a
 * pool has some 300 lines, and that one puts the labels of each together anew.
 */
export class PrometheusLines {
  #lines: string;
  #isEmpty = true;
  /** What the metric begins with, until it has a series: without any it is not told. */
  #head = "";
  #name = "";

  constructor(resource: Attributes) {
    const labels = braced(labelsOf(resource));
    this.#lines = `# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info${labels} 1\n`;
  }

  /** What is added from here on is of this metric. */
  begin(metric: MetricSpec): void {
    const name = prometheusName(metric);
    const type = metric.kind === "upDownCounter" ? "gauge" : metric.kind;
    this.#name = name;
    this.#head = `# HELP ${name} ${escapeText(metric.description)}\n# TYPE ${name} ${type}\n`;
  }

  addNumber(value: number, attributes: Attributes): void {
    this.#addHead();
    this.#lines += `${this.#name}${braced(cachedLabels(attributes))} ${numberText(value)}\n`;
  }

  addHistogram({ boundaries, counts, count, sum }: CountedHistogram, attributes: Attributes): void {
    this.#addHead();
    const name = this.#name;
    const labels = cachedLabels(attributes);
    this.#lines += `${name}_count${braced(labels)} ${count}`;
    if (sum !== undefined) this.#lines += `\n${name}_sum${braced(labels)} ${numberText(sum)}`;
    const { texts, parts } = getOrCreate(boundTexts, boundaries, () => boundsOf(boundaries));
    let below = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      below += counts[bucket] as number;
      parts[bucket + 1] = (texts[bucket] as string) + below;
    }
    // Joined: V8 then writes what all buckets begin with straight into one string.
    this.#lines += `${parts.join(`\n${name}_bucket{${labels}${labels && ","}le="`)}\n`;
  }

  get isPiece(): boolean {
    return this.#lines.length >= PIECE_LENGTH;
  }

  /** What was added since the last piece. */
  take(): Buffer {
    const piece = Buffer.from(this.#lines, isAscii ? "latin1" : "utf8");
    this.#lines = "";
    return piece;
  }

  end(): Buffer {
    if (this.#isEmpty) this.#lines += "# no registered metrics";
    return this.take();
  }

  #addHead(): void {
    if (this.#head === "") return;
    this.#lines += this.#head;
    this.#head = "";
    this.#isEmpty = false;
  }
}

/** What comes after the labels of each bucket, and room for what is to be joined: the first part is empty. */
interface Bounds {
  readonly texts: readonly string[];
  readonly parts: string[];
}

/** All series of a histogram have the same boundaries, which are told two hundred times a pool. */
const boundTexts = new WeakMap<readonly number[], Bounds>();

function boundsOf(boundaries: readonly number[]): Bounds {
  const texts = [...boundaries, "+Inf"].map((bound) => `${bound}"} `);
  return { texts, parts: ["", ...texts] };
}

export function prometheusName({ name, unit, kind }: MetricSpec): string {
  const suffix = unit === "s" ? "_seconds" : unit === "1" ? "_ratio" : "";
  return legalName(name) + suffix + (kind === "counter" ? "_total" : "");
}

function legalName(name: string): string {
  return name.replace(/[^a-z0-9_]/gi, "_").replace(/_{2,}/g, "_");
}

/**
 * The attributes of a series are the same object at every collection, and keep their labels: in a WeakMap as large as a
 * thousand pools need it each look costs 0.2 µs.
 */
const LABELS = Symbol("Prometheus labels");

function cachedLabels(attributes: Attributes & { readonly [LABELS]?: string }): string {
  const known = attributes[LABELS];
  if (known !== undefined) return known;
  const labels = labelsOf(attributes);
  if (Object.isExtensible(attributes)) Object.defineProperty(attributes, LABELS, { value: labels });
  return labels;
}

function labelsOf(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${legalName(key)}="${escapeLabel(value)}"`)
    .join(",");
}

function braced(labels: string): string {
  return labels && `{${labels}}`;
}

function escapeLabel(value: unknown): string {
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return escapeText(text).replaceAll('"', '\\"');
}

/** Nobody has used a letter so far that takes more than one byte: then bytes are copied, and not put together. */
let isAscii = true;

function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (isAscii && !/^[\x00-\x7f]*$/.test(text)) isAscii = false;
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
