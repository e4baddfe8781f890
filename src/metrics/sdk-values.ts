import type {
  AggregationTemporality,
  AggregationType,
  DataPointType,
  InstrumentType,
} from "@opentelemetry/sdk-metrics";

/**
 * Members of enumerations of OpenTelemetry's SDK, which takes longer to load than the rest of poolscope together and is
 * needed for pushing only. A test holds them to the SDK's.
 */
export const DELTA = 0 as AggregationTemporality.DELTA;
export const CUMULATIVE = 1 as AggregationTemporality.CUMULATIVE;

export const DROP = 1 as AggregationType.DROP;

export const HISTOGRAM_POINTS = 0 as DataPointType.HISTOGRAM;
export const EXPONENTIAL_HISTOGRAM_POINTS = 1 as DataPointType.EXPONENTIAL_HISTOGRAM;
export const GAUGE_POINTS = 2 as DataPointType.GAUGE;
export const SUM_POINTS = 3 as DataPointType.SUM;

export const HISTOGRAM = "HISTOGRAM" as InstrumentType.HISTOGRAM;
export const OBSERVABLE_COUNTER = "OBSERVABLE_COUNTER" as InstrumentType.OBSERVABLE_COUNTER;
export const OBSERVABLE_GAUGE = "OBSERVABLE_GAUGE" as InstrumentType.OBSERVABLE_GAUGE;
export const OBSERVABLE_UP_DOWN_COUNTER =
  "OBSERVABLE_UP_DOWN_COUNTER" as InstrumentType.OBSERVABLE_UP_DOWN_COUNTER;
