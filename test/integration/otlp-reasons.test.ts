import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { Poolscope } from "../../src/index.ts";
import { otlpSink } from "../support/otlp-sink.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { until } from "../support/until.ts";

const SECRET = "hunter2";
const notLoadable = fileURLToPath(new URL("../fixtures/otlp-exporter-not-loadable.mjs", import.meta.url));
const consoleWarn = vi.spyOn(console, "warn").mockImplementation(() => {});

afterEach(() => {
  vi.unstubAllEnvs();
  consoleWarn.mockClear();
});

function recordLog() {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  return { lines, logger: { debug: () => {}, info: () => {}, warn: note, error: note } };
}

function pushTo(url: string): { readonly lines: readonly string[]; readonly scope: Poolscope } {
  const { lines, logger } = recordLog();
  const scope = makeScope({ logger, otlp: { url, exportIntervalMillis: 20, exportTimeoutMillis: 20 } });
  scope.watch(makePool(), { name: "orders" });
  return { lines, scope };
}

test.each([
  [401, "check OTEL_EXPORTER_OTLP_HEADERS or `otlp.headers`"],
  [404, "check the path of OTEL_EXPORTER_OTLP_ENDPOINT or `otlp.url`, which has to end in /v1/metrics"],
  [400, "check OTEL_EXPORTER_OTLP_ENDPOINT or `otlp.url`"],
])("a push answered with %i is logged once, with the status and where to look", async (status, hint) => {
  const sink = await otlpSink();
  sink.status = status;
  const { lines, scope } = pushTo(sink.url.replace("http://", `http://user:${SECRET}@`));
  await until(() => lines.length > 0);
  // Pushes once more.
  await scope.shutdown();
  expect(lines).toEqual([
    `poolscope - OTLP export fails (answered ${status}); cumulative numbers are sent again with the next export; ${hint}`,
  ]);
});

test("a push to a gRPC endpoint is logged as one", async () => {
  const sockets = new Set<Socket>();
  // The first frame of HTTP/2, SETTINGS, which a gRPC server sends at once.
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const { lines } = pushTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`);
  await until(() => lines.length > 0);
  expect(lines[0]).toMatch(
    /^poolscope - OTLP export fails \(HPE_\w+: the answer is not HTTP\); .*a gRPC endpoint cannot be used/,
  );
});

test("the protocol grpc is a line of the console without any set-up, named by its variable", () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
  makeScope({ logger: undefined });
  expect(consoleWarn.mock.calls).toEqual([
    [
      "poolscope - OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported; metrics go by http/protobuf (port 4318 of a Collector)",
    ],
  ]);
  consoleWarn.mockClear();
  vi.stubEnv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json");
  makeScope({ logger: undefined });
  expect(consoleWarn.mock.calls.join()).toContain("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: http/json is not");
});

test("an endpoint that is no URL is logged, without what stands in it", () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `collector:4318/${SECRET}`);
  const { lines, logger } = recordLog();
  makeScope({ logger });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /^poolscope - OTEL_EXPORTER_OTLP_ENDPOINT: expected an http:\/\/ or https:\/\/ URL/,
  );
  expect(lines[0]).not.toContain(SECRET);
});

test.each([
  ["@opentelemetry/exporter-metrics-otlp-proto", "OpenTelemetry's OTLP exporter could not be loaded"],
  ["@opentelemetry/sdk-metrics", "the exporter could not be started"],
])("an exporter without a working %s is logged once, with Node's reason", async (name, event) => {
  const { stderr } = await promisify(execFile)(process.execPath, ["--import", "tsx", notLoadable, name]);
  const lines = stderr.split("\n").filter((line) => line.includes("poolscope"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`poolscope - nothing is pushed, ${event}: `);
  expect(lines[0]).toContain("'SeverityNumber'");
  expect(lines[0]).not.toContain("OTEL_EXPORTER_OTLP_ENDPOINT");
});
