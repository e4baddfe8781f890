import type { Attributes } from "@opentelemetry/api";
import { getOrCreate } from "../get-or-create.ts";
import type { MetricSpec } from "./semconv.ts";
import { noteLetters, TextPieces } from "./text-pieces.ts";

/** A histogram as the text tells it. */
export interface CountedHistogram {
  readonly boundaries: readonly number[];
  /** Of each bucket alone; the last is what is above all boundaries. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum?: number | undefined;
}

/**
 * Metrics in the text exposition format, under the names the Collector gives them, so that one dashboard serves both ways:
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 *
 * Line for line what `PrometheusSerializer` of OpenTelemetry writes (a test compares them) in a fraction of its time: a
 * pool has some 300 lines, and that one puts the labels of each together anew.
 */
export class PrometheusLines {
  readonly #text = new TextPieces();
  #isEmpty = true;
  /** What the metric begins with, until it has a series: without any it is not told. */
  #head = "";
  #name = "";
  /** What comes after the name in lines that are still to be written; the first is empty. */
  #numbers = [""];

  constructor(resource: Attributes) {
    const target = `target_info${labelsOf(resource)}1`;
    this.#text.add(`# HELP target_info Target metadata\n# TYPE target_info gauge\n${target}`);
  }

  /** What is added from here on is of this metric. */
  begin(metric: MetricSpec): void {
    this.#writeNumbers();
    const name = prometheusName(metric);
    const type = metric.kind === "upDownCounter" ? "gauge" : metric.kind;
    this.#name = name;
    this.#head = `\n# HELP ${name} ${escapeText(metric.description)}\n# TYPE ${name} ${type}`;
  }

  addNumber(value: number, attributes: Attributes): void {
    this.#addHead();
    if (this.#numbers.push(cachedLabels(attributes) + numberText(value)) > NUMBERS_AT_ONCE)
      this.#writeNumbers();
  }

  addHistogram({ boundaries, counts, count, sum }: CountedHistogram, attributes: Attributes): void {
    this.#addHead();
    const name = this.#name;
    const labels = cachedLabels(attributes);
    const sumLine = sum === undefined ? "" : `\n${name}_sum${labels}${numberText(sum)}`;
    this.#text.add(`\n${name}_count${labels}${count}${sumLine}`);
    const { texts, parts } = getOrCreate(boundTexts, boundaries, () => boundsOf(boundaries));
    let below = 0;
    let belowText = "0";
    for (let bucket = 0; bucket < counts.length; bucket++) {
      const here = counts[bucket] as number;
      if (here !== 0) {
        below += here;
        belowText = String(below);
      }
      parts[bucket + 1] = (texts[bucket] as string) + belowText;
    }
    const open = labels === NO_LABELS ? "{" : `${labels.slice(0, -CLOSE.length)},`;
    this.#text.add(parts.join(`\n${name}_bucket${open}le="`));
  }

  /** The pieces that are full, each once. */
  take(): Buffer[] {
    return this.#text.take();
  }

  /** What is left. */
  end(): Buffer[] {
    this.#writeNumbers();
    this.#text.add(this.#isEmpty ? "\n# no registered metrics" : "\n");
    return this.#text.end();
  }

  #addHead(): void {
    if (this.#head === "") return;
    this.#text.add(this.#head);
    this.#head = "";
    this.#isEmpty = false;
  }

  #writeNumbers(): void {
    if (this.#numbers.length === 1) return;
    this.#text.add(this.#numbers.join(`\n${this.#name}`));
    this.#numbers = [""];
  }
}

// Lines are joined, by what all of them begin with: V8 writes that straight into one string, where putting them together
// line by line makes a tree of their parts, to be walked and copied afterwards. A third of the time of a text.
const NUMBERS_AT_ONCE = 32;

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

const CLOSE = "} ";
const NO_LABELS = " ";

/** All between name and value. */
function labelsOf(attributes: Attributes): string {
  const labels = Object.entries(attributes).map(
    ([key, value]) => `${legalName(key)}="${escapeLabel(value)}"`,
  );
  return labels.length === 0 ? NO_LABELS : `{${labels.join(",")}${CLOSE}`;
}

function escapeLabel(value: unknown): string {
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return escapeText(text).replaceAll('"', '\\"');
}

function escapeText(text: string): string {
  return noteLetters(text).replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
