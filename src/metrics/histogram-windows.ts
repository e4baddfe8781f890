import { isRecordable, type Recorder } from "./histogram.ts";
import { HistogramWindow } from "./histogram-window.ts";
import type { HistogramName } from "./semconv.ts";

/** The metrics that readings have a distribution of. */
const WINDOWED = {
  waitTime: "wait",
  useTime: "use",
  createTime: "create",
  reuse: "reuse",
  queryDuration: "query",
} as const;

/** What one pool has recorded since its last sample, by metric, beneath whatever buckets are exported. */
export class HistogramWindows {
  readonly wait: HistogramWindow = new HistogramWindow();
  readonly use: HistogramWindow = new HistogramWindow();
  readonly create: HistogramWindow = new HistogramWindow();
  readonly reuse: HistogramWindow = new HistogramWindow();
  readonly query: HistogramWindow = new HistogramWindow();

  /** @returns A recorder that records in the window of the metric too; `series` itself where it has no window. */
  over(metric: HistogramName, series: Recorder): Recorder {
    if (!(metric in WINDOWED)) return series;
    return new WindowedRecorder(this[WINDOWED[metric as keyof typeof WINDOWED]], series);
  }

  clear(): void {
    for (const name of Object.values(WINDOWED)) this[name].clear();
  }
}

class WindowedRecorder implements Recorder {
  readonly #window: HistogramWindow;
  readonly #series: Recorder;

  constructor(window: HistogramWindow, series: Recorder) {
    this.#window = window;
    this.#series = series;
  }

  record(value: number): void {
    if (!isRecordable(value)) return;
    this.#window.record(value);
    this.#series.record(value);
  }
}
