import type { HistogramMetricData } from "@opentelemetry/sdk-metrics";
import type { Value } from "./collected.ts";
import type { BucketHistogram } from "./histogram.ts";

/** A histogram as readers of metrics take it. */
export type HistogramValue = HistogramMetricData["dataPoints"][number]["value"];

export const BUCKETS: Value<BucketHistogram, HistogramValue> = {
  snapshot({ boundaries, counts, count, sum, min, max }) {
    return {
      // Nobody writes into the boundaries: all points of a metric can have the same ones.
      buckets: { boundaries: boundaries as number[], counts },
      count,
      sum,
      // OTLP forbids infinities here: an empty histogram has no minimum.
      ...(count > 0 ? { min, max, hasMinMax: true } : { hasMinMax: false }),
    } as HistogramValue;
  },

  /** Minimum and maximum of an interval cannot be told from running ones, so a later delta has none. */
  difference({ boundaries, counts, count, sum }, told) {
    return {
      buckets: {
        boundaries: boundaries as number[],
        counts: counts.map((value, bucket) => value - (told.buckets.counts[bucket] ?? 0)),
      },
      count: count - told.count,
      sum: sum - (told.sum ?? 0),
      hasMinMax: false,
    } as HistogramValue;
  },
};
