import { ValueType } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import fc from "fast-check";
import { expect, test } from "vitest";
import { textOfCollection } from "../../src/metrics/prometheus-text.ts";
import { METER_NAME } from "../../src/metrics/semconv.ts";

test("letters of more than one byte, from the second scrape on, come out whole", () => {
  const scraped = (...pools: string[]) => {
    const dataPoints = pools.map((pool) => ({
      startTime: [0, 0],
      endTime: [1, 0],
      attributes: { pool },
      value: 1,
    }));
    const metric = {
      descriptor: { name: "a.count", unit: "", description: "d", valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.GAUGE,
      dataPoints,
    } as unknown as MetricData;
    const scopeMetrics = [{ scope: { name: METER_NAME }, metrics: [metric] }];
    return { resource: resourceFromAttributes({}), scopeMetrics };
  };
  const plain = scraped("orders");
  const [mixed, again] = [scraped("orders", "größe", "注文", "🐘"), scraped("orders", "größe", "注文", "🐘")];
  for (const given of [plain, mixed, again, plain]) expect(ours(given)).toBe(theirs(given));
});

test("whatever the metrics and labels, the text is what OpenTelemetry's own serializer writes", () => {
  fc.assert(
    fc.property(resourceMetrics(), (given) => {
      expect(ours(given)).toBe(theirs(given));
    }),
    { numRuns: 200 },
  );
});

test("names get the suffixes that the Collector gives them", () => {
  const point = { startTime: [0, 0], endTime: [1, 0], attributes: {}, value: 1 };
  const named = (name: string, unit: string, isMonotonic: boolean) =>
    ({
      descriptor: { name, unit, description: "d", valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.SUM,
      isMonotonic,
      dataPoints: [point],
    }) as MetricData;
  const metrics = [named("a.wait", "s", false), named("a.share", "1", false), named("a.spent", "s", true)];
  const text = ours({
    resource: resourceFromAttributes({}),
    scopeMetrics: [{ scope: { name: METER_NAME }, metrics }],
  });
  expect(text.match(/^\w+ 1$/gm)).toEqual([
    "target_info 1",
    "a_wait_seconds 1",
    "a_share_ratio 1",
    "a_spent_seconds_total 1",
  ]);
});

test("metrics of the application stay out", () => {
  const metrics = [
    {
      descriptor: { name: "app.secret", unit: "", description: "d", valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.GAUGE,
      dataPoints: [{ startTime: [0, 0], endTime: [1, 0], attributes: {}, value: 1 }],
    } as MetricData,
  ];
  const text = ours({
    resource: resourceFromAttributes({ "service.name": "orders" }),
    scopeMetrics: [{ scope: { name: "app" }, metrics }],
  });
  expect(text).toBe(
    '# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{service_name="orders"} 1\n# no registered metrics',
  );
});

function ours(given: ResourceMetrics): string {
  return Buffer.concat([...textOfCollection(given)]).toString();
}

function theirs(given: ResourceMetrics): string {
  return new PrometheusSerializer(undefined, false, undefined, false, true).serialize(given);
}

/** Without units: their serializer gives them lines of their own. */
function resourceMetrics(): fc.Arbitrary<ResourceMetrics> {
  return fc.record({
    resource: attributes().map(resourceFromAttributes),
    scopeMetrics: fc.array(
      fc.record({ scope: fc.constant({ name: METER_NAME }), metrics: fc.array(metric()) }),
    ),
  }) as fc.Arbitrary<ResourceMetrics>;
}

function metric(): fc.Arbitrary<MetricData> {
  const descriptor = fc.record({
    name: fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/),
    description: fc.string({ minLength: 1 }),
    unit: fc.constant(""),
    valueType: fc.constant(ValueType.DOUBLE),
  });
  const common = { descriptor, aggregationTemporality: fc.constant(AggregationTemporality.CUMULATIVE) };
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Infinity, -Infinity, 1e21, 5e-7));
  return fc.oneof(
    fc.record({
      ...common,
      dataPointType: fc.constant(DataPointType.SUM),
      isMonotonic: fc.boolean(),
      dataPoints: points(number),
    }),
    fc.record({ ...common, dataPointType: fc.constant(DataPointType.GAUGE), dataPoints: points(number) }),
    fc.record({
      ...common,
      dataPointType: fc.constant(DataPointType.HISTOGRAM),
      dataPoints: points(histogram()),
    }),
  ) as fc.Arbitrary<MetricData>;
}

function points<T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown[]> {
  const time = fc.constant([1, 0]);
  return fc.array(fc.record({ startTime: time, endTime: time, attributes: attributes(), value }), {
    minLength: 1,
  });
}

function histogram(): fc.Arbitrary<unknown> {
  return fc
    .uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 8 })
    .chain((bounds) =>
      fc.record({
        buckets: fc.record({
          boundaries: fc.constant([...bounds].sort((a, b) => a - b)),
          counts: fc.array(fc.nat(), { minLength: bounds.length + 1, maxLength: bounds.length + 1 }),
        }),
        count: fc.nat(),
        sum: fc.option(fc.double(), { nil: undefined }),
      }),
    );
}

function attributes(): fc.Arbitrary<Record<string, string | number | boolean>> {
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", "\n", 'a\\n"b'),
    fc.nat(),
    fc.boolean(),
  );
  return fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_.]{0,10}$/), value, { maxKeys: 4 });
}
