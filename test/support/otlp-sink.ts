import { createServer, type Server } from "node:http";
import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";
import { afterEach } from "vitest";

/** The part of opentelemetry/proto/metrics/v1/metrics.proto that the tests look at. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceMetrics resource_metrics = 1; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
  message Scope { string name = 1; string version = 2; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message Metric { string name = 1; string unit = 3; oneof data { Numbers gauge = 5; Numbers sum = 7; Histogram histogram = 9; } }
  message Numbers { repeated NumberPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
  message NumberPoint { repeated KeyValue attributes = 7; oneof value { double as_double = 4; sfixed64 as_int = 6; } }
  message Histogram { repeated HistogramPoint data_points = 1; int32 aggregation_temporality = 2; }
  message HistogramPoint {
    repeated KeyValue attributes = 9; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
    optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7;
    optional double min = 11; optional double max = 12;
  }
`);
const Request = root.lookupType("Request");

export interface Received {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly resource: Record<string, unknown>;
  readonly metrics: ReceivedMetric[];
}

interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly temporality: "delta" | "cumulative" | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: decoded protobuf
  readonly points: any[];
}

const servers: Server[] = [];

export interface OtlpSink {
  url: string;
  received: Received[];
  /** Where they were sent. */
  paths: string[];
  status: number;
}

/** An OTLP/HTTP endpoint on loopback that keeps what it is sent. `status` is what it answers. */
export async function otlpSink(): Promise<OtlpSink> {
  const sink: OtlpSink = { url: "", received: [], paths: [], status: 200 };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    sink.paths.push(request.url ?? "");
    if (sink.status === 200) sink.received.push(decode(request.headers, body));
    response.statusCode = sink.status;
    response.end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  sink.url = `http://127.0.0.1:${port}/v1/metrics`;
  return sink;
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

function decode(headers: Received["headers"], body: Buffer): Received {
  const bytes = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  const { resourceMetrics = [] } = Request.toObject(Request.decode(bytes), { longs: Number });
  const [{ resource = {}, scopeMetrics = [] } = {}] = resourceMetrics;
  return {
    headers,
    resource: attributes(resource.attributes),
    metrics: scopeMetrics.flatMap(({ metrics }: { metrics: Record<string, never>[] }) => metrics.map(metric)),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: decoded protobuf
function metric({ name, unit, gauge, sum, histogram }: any): ReceivedMetric {
  const { dataPoints = [], aggregationTemporality } = gauge ?? sum ?? histogram;
  return {
    name,
    unit,
    temporality: ([undefined, "delta", "cumulative"] as const)[aggregationTemporality ?? 0],
    // biome-ignore lint/suspicious/noExplicitAny: decoded protobuf
    points: dataPoints.map((point: any) => ({
      count: 0, // proto3 leaves zeros out
      ...point,
      attributes: attributes(point.attributes),
      value: point.asDouble ?? point.asInt,
    })),
  };
}

function attributes(list: { key: string; value: Record<string, unknown> }[] = []): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}
