import type { Attributes } from "@opentelemetry/api";
import type { DataPointType, MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { getOrCreate } from "../get-or-create.ts";
import { GAUGE_POINTS, HISTOGRAM_POINTS, SUM_POINTS } from "./sdk-values.ts";
import { METER_NAME } from "./semconv.ts";

/**
 * Poolscope's metrics in the text exposition format, under the names the Collector gives them, so that one dashboard
 * serves both ways: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 *
 * Line for line what `PrometheusSerializer` of OpenTelemetry writes (a test compares them) in a ninth of its time: a
 * pool has some 200 lines, and that one puts the labels of each together anew.
 */
export function prometheusText({ resource, scopeMetrics }: ResourceMetrics): Buffer {
  const text = new Text();
  const labels = labelsOf(resource.attributes);
  text.add(`# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info${braced(labels)} 1\n`);
  const metrics = scopeMetrics.flatMap(({ scope, metrics }) => (scope.name === METER_NAME ? metrics : []));
  for (const metric of metrics) addMetric(text, metric);
  if (metrics.length === 0) text.add("# no registered metrics");
  return text.end();
}

/**
 * Grows by lines, and is made to bytes bit by bit: what lives for long is work for the garbage collector. The bytes are in
 * one piece, as large as those of the text before: many pieces cost more than what is written into them.
 */
class Text {
  #bytes = Buffer.allocUnsafe(expectedBytes);
  #length = 0;
  #lines = "";

  add(lines: string): void {
    this.#lines += lines;
    if (this.#lines.length > PART) this.#write();
  }

  end(): Buffer {
    this.#write();
    expectedBytes = this.#length + 4 * PART;
    return this.#bytes.subarray(0, this.#length);
  }

  #write(): void {
    // A character takes three bytes at most.
    const needed = this.#length + 3 * this.#lines.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * needed);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(this.#lines, this.#length, isAscii ? "latin1" : "utf8");
    this.#lines = "";
  }
}

const PART = 2 ** 14;
let expectedBytes = 4 * PART;
/** Nobody has used a letter so far that takes more than one byte: then bytes are copied, and not put together. */
let isAscii = true;

function noteLetters(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (isAscii && !/^[\x00-\x7f]*$/.test(text)) isAscii = false;
  return text;
}

function addMetric(text: Text, metric: MetricData): void {
  const name = prometheusName(metric);
  switch (metric.dataPointType) {
    case SUM_POINTS:
      if (metric.isMonotonic) addNumbers(text, `${name}_total`, "counter", metric);
      else addNumbers(text, name, "gauge", metric);
      break;
    case GAUGE_POINTS:
      addNumbers(text, name, "gauge", metric);
      break;
    case HISTOGRAM_POINTS:
      addHistograms(text, name, metric);
      break;
    default:
    // Exponential histograms, which only a view of the application's makes, have no form in this format.
  }
}

function head(name: string, type: string, { descriptor }: MetricData): string {
  return `# HELP ${name} ${escapeText(descriptor.description)}\n# TYPE ${name} ${type}\n`;
}

type Numbers = Extract<
  MetricData,
  { dataPointType: DataPointType.SUM } | { dataPointType: DataPointType.GAUGE }
>;
type Histograms = Extract<MetricData, { dataPointType: DataPointType.HISTOGRAM }>;

function addNumbers(text: Text, name: string, type: string, metric: Numbers): void {
  text.add(head(name, type, metric));
  for (const { attributes, value } of metric.dataPoints) {
    text.add(`${name}${braced(cachedLabels(attributes))} ${numberText(value)}\n`);
  }
}

function addHistograms(text: Text, name: string, metric: Histograms): void {
  text.add(head(name, "histogram", metric));
  for (const { attributes, value } of metric.dataPoints) {
    const { buckets, count, sum } = value;
    const labels = cachedLabels(attributes);
    text.add(`${name}_count${braced(labels)} ${count}\n`);
    if (sum !== undefined) text.add(`${name}_sum${braced(labels)} ${numberText(sum)}\n`);
    const open = flat(`${name}_bucket{${labels}${labels && ","}le="`);
    const bounds = getOrCreate(boundTexts, buckets.boundaries, () => boundsOf(buckets.boundaries));
    let below = 0;
    for (let bucket = 0; bucket < buckets.counts.length; bucket++) {
      below += buckets.counts[bucket] as number;
      text.add(`${open + bounds[bucket] + below}\n`);
    }
  }
}

/** All points of a histogram have the same boundaries, which are told two hundred times a pool. */
const boundTexts = new WeakMap<readonly number[], readonly string[]>();

function boundsOf(boundaries: readonly number[]): string[] {
  return [...boundaries, "+Inf"].map((bound) => `${bound}"} `);
}

/** What V8 has as a tree of parts becomes one string, as its conversion to a number needs it: a third less for the page. */
function flat(text: string): string {
  Number(text);
  return text;
}

function prometheusName({ descriptor: { name, unit } }: MetricData): string {
  const suffix = unit === "s" ? "_seconds" : unit === "1" ? "_ratio" : "";
  return legalName(name) + suffix;
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

function escapeText(text: string): string {
  return noteLetters(text).replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
