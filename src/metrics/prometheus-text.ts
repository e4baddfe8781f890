import type { Attributes } from "@opentelemetry/api";
import type { MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { isHistogram, METRIC_NAMES, type PoolLook } from "./pool-looks.ts";
import { type CountedHistogram, PrometheusLines } from "./prometheus-lines.ts";
import { SCOPE_METRIC_NAMES, type ScopeNumbers } from "./scope-numbers.ts";
import { GAUGE_POINTS, HISTOGRAM_POINTS, SUM_POINTS } from "./sdk-values.ts";
import { METER_NAME, METRICS, type MetricSpec, SCOPE_METRICS } from "./semconv.ts";

/** The text in pieces, each made when it is asked for. The numbers are those of the moment of the call. */
export function textOfPools(
  resource: Attributes,
  looks: readonly PoolLook[],
  scope: ScopeNumbers,
): Iterable<Buffer> {
  const ofPools = METRIC_NAMES.map((metric) => {
    if (isHistogram(metric)) {
      const series = new Series<CountedHistogram>(METRICS[metric], writeHistogram);
      for (const look of looks) {
        look.eachHistogram(metric, ({ boundaries, counts, count, sum }, attributes) => {
          series.add({ boundaries, counts, count, sum }, attributes);
        });
      }
      return series;
    }
    const series = new Series(METRICS[metric], writeNumber);
    for (const look of looks) look.eachNumber(metric, (value, attributes) => series.add(value, attributes));
    return series;
  });
  const ofScope = SCOPE_METRIC_NAMES.map((metric) => {
    const series = new Series(SCOPE_METRICS[metric], writeNumber);
    scope.each(metric, (value, attributes) => series.add(value, attributes));
    return series;
  });
  return pieces(resource, [...ofPools, ...ofScope]);
}

/** The same of what a reader of OpenTelemetry's collected; the metrics of others stay out. */
export function textOfCollection({ resource, scopeMetrics }: ResourceMetrics): Iterable<Buffer> {
  const metrics = scopeMetrics.flatMap(({ scope, metrics }) => (scope.name === METER_NAME ? metrics : []));
  return pieces(resource.attributes, metrics.flatMap(collectedSeries));
}

function* pieces(resource: Attributes, metrics: readonly Written[]): Generator<Buffer> {
  const lines = new PrometheusLines(resource);
  for (const metric of metrics) {
    lines.begin(metric.spec);
    for (let index = 0; index < metric.length; index++) {
      metric.write(lines, index);
      yield* lines.take();
    }
  }
  yield* lines.end();
}

/** The series of one metric, to be written one after the other. */
interface Written {
  readonly spec: MetricSpec;
  readonly length: number;
  write(lines: PrometheusLines, index: number): void;
}

type Write<Value> = (lines: PrometheusLines, value: Value, attributes: Attributes) => void;

const writeNumber: Write<number> = (lines, value, attributes) => lines.addNumber(value, attributes);
const writeHistogram: Write<CountedHistogram> = (lines, value, attributes) =>
  lines.addHistogram(value, attributes);

/** Two arrays: a hundred thousand series as objects would be work for the garbage collector until the last is written. */
class Series<Value> implements Written {
  readonly spec: MetricSpec;
  readonly #write: Write<Value>;
  readonly #values: Value[] = [];
  readonly #attributes: Attributes[] = [];

  constructor(spec: MetricSpec, write: Write<Value>) {
    this.spec = spec;
    this.#write = write;
  }

  add(value: Value, attributes: Attributes): void {
    this.#values.push(value);
    this.#attributes.push(attributes);
  }

  get length(): number {
    return this.#values.length;
  }

  write(lines: PrometheusLines, index: number): void {
    this.#write(lines, this.#values[index] as Value, this.#attributes[index] as Attributes);
  }
}

/** None of exponential histograms, which only a view of the application's makes: they have no form in this format. */
function collectedSeries(metric: MetricData): Series<number> | Series<CountedHistogram> | [] {
  const { descriptor } = metric;
  switch (metric.dataPointType) {
    case HISTOGRAM_POINTS: {
      const series = new Series({ ...descriptor, kind: "histogram" }, writeHistogram);
      for (const { value, attributes } of metric.dataPoints) {
        const { buckets, count, sum } = value;
        series.add({ ...buckets, count, sum }, attributes);
      }
      return series;
    }
    case SUM_POINTS:
    case GAUGE_POINTS: {
      const isCounter = metric.dataPointType === SUM_POINTS && metric.isMonotonic;
      const series = new Series({ ...descriptor, kind: isCounter ? "counter" : "gauge" }, writeNumber);
      for (const { value, attributes } of metric.dataPoints) series.add(value, attributes);
      return series;
    }
    default:
      return [];
  }
}
