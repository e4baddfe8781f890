import type { Attributes } from "@opentelemetry/api";
import type { BucketHistogram } from "./histogram.ts";
import type { MetricSeries, PrometheusLines } from "./prometheus-lines.ts";
import type { MetricSpec } from "./semconv.ts";

// All series of one metric at one moment, in few large arrays: a hundred thousand of them as objects would be work for the
// garbage collector until the last is written.

export class NumberColumn implements MetricSeries {
  readonly spec: MetricSpec;
  readonly #values: number[] = [];
  readonly #attributes: Attributes[] = [];

  constructor(spec: MetricSpec) {
    this.spec = spec;
  }

  add(value: number, attributes: Attributes): void {
    this.#values.push(value);
    this.#attributes.push(attributes);
  }

  get length(): number {
    return this.#values.length;
  }

  write(series: number, lines: PrometheusLines): void {
    lines.addNumber(this.#values[series] as number, this.#attributes[series] as Attributes);
  }
}

export class HistogramColumn implements MetricSeries {
  readonly spec: MetricSpec;
  readonly #boundaries: (readonly number[])[] = [];
  readonly #attributes: Attributes[] = [];
  /** Of each series its count, its sum and what is in its buckets, one after the other. */
  readonly #values: number[] = [];
  /** Where the values of each begin. */
  readonly #begins: number[] = [];

  constructor(spec: MetricSpec) {
    this.spec = spec;
  }

  add({ boundaries, counts, count, sum }: BucketHistogram, attributes: Attributes): void {
    this.#boundaries.push(boundaries);
    this.#attributes.push(attributes);
    this.#begins.push(this.#values.length);
    this.#values.push(count, sum);
    for (const here of counts) this.#values.push(here);
  }

  get length(): number {
    return this.#begins.length;
  }

  write(series: number, lines: PrometheusLines): void {
    const boundaries = this.#boundaries[series] as readonly number[];
    const begin = this.#begins[series] as number;
    const [count, sum] = [this.#values[begin] as number, this.#values[begin + 1] as number];
    const counts = this.#values.slice(begin + 2, begin + 3 + boundaries.length);
    lines.addHistogram({ boundaries, counts, count, sum }, this.#attributes[series] as Attributes);
  }
}
