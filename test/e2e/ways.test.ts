import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { collectorBinary } from "../../scripts/build-collector.ts";
import { webhook } from "../../src/index.ts";
import { otlpSink } from "../support/otlp-sink.ts";
import { makePool, makeScope } from "../support/pools.ts";
import { freeStandIns, onLoopback, type Ports, secondWay } from "../support/stack/config.ts";
import { answersOk, type Program, startProgram } from "../support/stack/program.ts";
import { until } from "../support/until.ts";

let folder: string;
let ports: Ports;
const programs: Program[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poolscope-ways-"));
  ports = await freeStandIns();
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.kill()));
  await rm(folder, { recursive: true, force: true });
});

async function start(command: string, options: Parameters<typeof startProgram>[1]): Promise<Program> {
  const program = await startProgram(command, options);
  programs.push(program);
  return program;
}

test("the second way pushes to where Prometheus takes OTLP, under the names and ids that applications gave", async () => {
  const prometheus = await otlpSink();
  const config = onLoopback(secondWay(await readFile("otel-collector.yaml", "utf8")), ports);
  const endpoint = prometheus.url.replace("/v1/metrics", "/api/v1/otlp");
  await writeFile(
    join(folder, "collector.yaml"),
    config.replace(`http://127.0.0.1:${ports[9090]}/api/v1/otlp`, endpoint),
  );
  await start(collectorBinary(), {
    args: [`--config=${folder}/collector.yaml`],
    ready: () => answersOk(`http://127.0.0.1:${ports[13133]}/`),
  });
  const url = `http://127.0.0.1:${ports[4318]}/v1/metrics`;
  const scope = makeScope({
    serviceName: "shop",
    otlp: { url, exportIntervalMillis: 200, exportTimeoutMillis: 200 },
  });
  scope.watch(makePool({ max: 7 }), { name: "orders" });

  const received = await until(() => prometheus.received[0], 30_000);
  expect(prometheus.paths).toContain("/api/v1/otlp/v1/metrics");
  expect(received.resource).toMatchObject({
    "service.name": "shop",
    "service.instance.id": expect.any(String),
  });
  const limit = received.metrics.find(({ name }) => name === "db.client.connection.limit");
  expect(limit).toMatchObject({ temporality: "cumulative", points: [{ value: 7 }] });
});

test("Alertmanager of the default profile posts to the sink, which prints one line for each alert", async () => {
  const sink = await start(process.execPath, {
    args: ["alertmanager/sink.mjs"],
    env: { PORT: String(ports[9094]) },
    ready: () => answersOk(`http://127.0.0.1:${ports[9094]}/`),
  });
  const config = onLoopback(await readFile("alertmanager/alertmanager.yml", "utf8"), ports);
  await writeFile(join(folder, "alertmanager.yml"), config.replace("group_wait: 10s", "group_wait: 100ms"));
  const origin = `http://127.0.0.1:${ports[9093]}`;
  await start("prometheus-alertmanager", {
    args: [
      `--config.file=${folder}/alertmanager.yml`,
      `--storage.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${ports[9093]}`,
      "--cluster.listen-address=",
    ],
    ready: () => answersOk(`${origin}/-/ready`),
  });
  const alert = {
    labels: { alertname: "PoolscopePoolStuck", severity: "critical" },
    annotations: {
      description: "Nothing moves.",
      runbook_url: "http://localhost:9094/runbooks/PoolscopePoolStuck",
    },
  };
  await fetch(`${origin}/api/v2/alerts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify([alert]),
  });
  const line =
    /firing critical PoolscopePoolStuck - Nothing moves\. http:\/\/localhost:9094\/runbooks\/PoolscopePoolStuck/;
  await until(() => line.test(sink.output), 30_000);
});

test("the sink prints what the demo itself tells", async () => {
  const url = `http://127.0.0.1:${ports[9094]}/`;
  const sink = await start(process.execPath, {
    args: ["alertmanager/sink.mjs"],
    env: { PORT: String(ports[9094]) },
    ready: () => answersOk(url),
  });
  const pool = makePool({ max: 1, connectionTimeoutMillis: 50 });
  const scope = makeScope({ serviceName: "shop", sampleIntervalMillis: 100, notifiers: [webhook(url)] });
  scope.watch(pool, { name: "orders" });
  await pool.connect();
  await pool.connect().catch(() => {});
  await until(() => /firing \w+ \w+ of shop - orders - /.test(sink.output), 30_000);
});

test("the sink answers what is not an alert, and goes on", async () => {
  const origin = `http://127.0.0.1:${ports[9094]}`;
  const sink = await start(process.execPath, {
    args: ["alertmanager/sink.mjs"],
    env: { PORT: String(ports[9094]) },
    ready: () => answersOk(origin),
  });
  const status = async (path: string, init?: RequestInit) => (await fetch(`${origin}${path}`, init)).status;
  expect(await status("/", { method: "POST", body: "no JSON" })).toBe(400);
  expect(await status("/runbooks/Nothing")).toBe(404);
  expect(await status("/runbooks/..%2F..%2Fpackage")).toBe(200);
  expect(await (await fetch(`${origin}/runbooks/..%2F..%2Fpackage`)).text()).not.toContain("poolscope");
  expect(await status("/runbooks/PoolscopePoolStuck")).toBe(200);
  expect(sink.output).toContain("POST / - ");
});
