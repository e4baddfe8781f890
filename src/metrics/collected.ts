import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import type {
  AggregationTemporality,
  DataPoint,
  InstrumentType,
  MetricData,
} from "@opentelemetry/sdk-metrics";
import {
  CUMULATIVE,
  DELTA,
  GAUGE_POINTS,
  HISTOGRAM,
  HISTOGRAM_POINTS,
  OBSERVABLE_COUNTER,
  OBSERVABLE_GAUGE,
  OBSERVABLE_UP_DOWN_COUNTER,
  SUM_POINTS,
} from "./sdk-values.ts";
import type { MetricSpec } from "./semconv.ts";

export type SelectTemporality = (type: InstrumentType) => AggregationTemporality;

/** What the SDK would take for each kind of metric. */
const INSTRUMENT_TYPES = {
  counter: OBSERVABLE_COUNTER,
  upDownCounter: OBSERVABLE_UP_DOWN_COUNTER,
  gauge: OBSERVABLE_GAUGE,
  histogram: HISTOGRAM,
};

/** How a value is told: as it stands, or as what came since it was told last. */
export interface Value<Source, Told> {
  snapshot(source: Source): Told;
  /** @returns What came since `told`, which came from the same source. */
  difference(source: Source, told: Told): Told;
}

/**
 * The points of one metric for one reader, in the temporality that reader asks for. Readers share nothing: what a delta
 * reader was told last is its own affair.
 */
export class Collected<Source, Told> {
  readonly #spec: MetricSpec;
  readonly #value: Value<Source, Told>;
  /** By series. The attributes are the series: there is one object for each. */
  readonly #told = new WeakMap<Attributes, { readonly at: HrTime; readonly value: Told }>();
  #points: DataPoint<Told>[] = [];
  #isDelta = false;
  #endTime: HrTime = [0, 0];

  constructor(spec: MetricSpec, value: Value<Source, Told>) {
    this.#spec = spec;
    this.#value = value;
  }

  begin(select: SelectTemporality, endTime: HrTime): void {
    this.#points = [];
    this.#isDelta = select(INSTRUMENT_TYPES[this.#spec.kind]) === DELTA && this.#spec.kind !== "gauge";
    this.#endTime = endTime;
  }

  add(source: Source, attributes: Attributes, startTime: HrTime): void {
    const endTime = this.#endTime;
    const value = this.#value.snapshot(source);
    if (!this.#isDelta) {
      this.#points.push({ startTime, endTime, attributes, value });
      return;
    }
    const told = this.#told.get(attributes);
    this.#told.set(attributes, { at: endTime, value });
    this.#points.push({
      startTime: told?.at ?? startTime,
      endTime,
      attributes,
      value: told ? this.#value.difference(source, told.value) : value,
    });
  }

  /** Undefined: no pool has this metric. */
  take(): MetricData | undefined {
    const { name, description, unit, kind } = this.#spec;
    const dataPoints = this.#points;
    if (dataPoints.length === 0) return undefined;
    this.#points = [];
    return {
      descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
      aggregationTemporality: this.#isDelta ? DELTA : CUMULATIVE,
      dataPoints,
      ...(kind === "histogram"
        ? { dataPointType: HISTOGRAM_POINTS }
        : kind === "gauge"
          ? { dataPointType: GAUGE_POINTS }
          : { dataPointType: SUM_POINTS, isMonotonic: kind === "counter" }),
    } as MetricData;
  }
}

/** Counts and states: numbers. */
export const NUMBER: Value<number, number> = {
  snapshot: (value) => value,
  difference: (value, told) => value - told,
};
