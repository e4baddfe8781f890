import type { Attributes } from "@opentelemetry/api";
import type { PoolRecorders } from "../watch/watch-tools.ts";
import { BucketHistogram, type Recorder } from "./histogram.ts";
import { HistogramWindows } from "./histogram-windows.ts";
import { type HistogramName, METRICS, QUERY_TIMES } from "./semconv.ts";
import { withLabels } from "./series-attributes.ts";

/** One series: a histogram and its labels. */
export interface HistogramSeries {
  readonly metric: HistogramName;
  readonly attributes: Attributes;
  readonly histogram: BucketHistogram;
}

/** The histograms of one pool in plain numbers, see {@link BucketHistogram}. */
export class PoolHistograms implements PoolRecorders {
  readonly series: HistogramSeries[] = [];
  readonly windows: HistogramWindows = new HistogramWindows();
  readonly wait: Recorder;
  readonly use: Recorder;
  readonly create: Recorder;
  readonly reuse: Recorder;
  readonly #attributes: Attributes;
  readonly #queryBuckets: readonly number[];

  /** @param attributes Of the pool */
  constructor(attributes: Attributes, queryBuckets: readonly number[] | undefined) {
    this.#attributes = attributes;
    this.#queryBuckets = queryBuckets ?? METRICS.queryDuration.boundaries;
    this.wait = this.make("waitTime", {});
    this.use = this.make("useTime", {});
    this.create = this.make("createTime", {});
    this.reuse = this.make("reuse", {});
  }

  make(metric: HistogramName, labels: Attributes): Recorder {
    const boundaries = QUERY_TIMES.includes(metric) ? this.#queryBuckets : METRICS[metric].boundaries;
    const histogram = new BucketHistogram(boundaries);
    this.series.push({ metric, attributes: withLabels(this.#attributes, labels), histogram });
    return this.windows.over(metric, histogram);
  }
}
