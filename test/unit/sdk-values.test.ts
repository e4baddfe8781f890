import {
  AggregationTemporality,
  AggregationType,
  DataPointType,
  InstrumentType,
} from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import * as values from "../../src/metrics/sdk-values.ts";

test("what is known of the SDK's enumerations without loading it is what the SDK says", () => {
  expect({ ...values }).toEqual({
    DELTA: AggregationTemporality.DELTA,
    CUMULATIVE: AggregationTemporality.CUMULATIVE,
    DROP: AggregationType.DROP,
    HISTOGRAM_POINTS: DataPointType.HISTOGRAM,
    EXPONENTIAL_HISTOGRAM_POINTS: DataPointType.EXPONENTIAL_HISTOGRAM,
    GAUGE_POINTS: DataPointType.GAUGE,
    SUM_POINTS: DataPointType.SUM,
    HISTOGRAM: InstrumentType.HISTOGRAM,
    OBSERVABLE_COUNTER: InstrumentType.OBSERVABLE_COUNTER,
    OBSERVABLE_GAUGE: InstrumentType.OBSERVABLE_GAUGE,
    OBSERVABLE_UP_DOWN_COUNTER: InstrumentType.OBSERVABLE_UP_DOWN_COUNTER,
  });
});
