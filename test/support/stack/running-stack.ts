import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type PostgresServer, startPostgres } from "../../../demo/postgres-server.ts";
import { collectorBinary } from "../../../scripts/build-collector.ts";
import { type Capture, startCapture } from "./captured.ts";
import {
  hurried,
  onLoopback,
  type Ports,
  SERVICE_PORTS,
  stackFile,
  stackFiles,
  TIME_FACTOR,
} from "./config.ts";
import { answersOk, freePorts, type Program, startProgram } from "./program.ts";
import { PrometheusApi } from "./prometheus-api.ts";

/** One of the two replicas of the demo. */
export interface Demo {
  readonly instance: string;
  readonly origin: string;
  readonly program: Program;
}

export interface RunningStack {
  readonly folder: string;
  readonly ports: Ports;
  readonly postgres: PostgresServer;
  readonly prometheus: PrometheusApi;
  /** Slack and PagerDuty. */
  readonly capture: Capture;
  readonly demos: readonly [Demo, Demo];
  collector: Program;
  startCollector(): Promise<void>;
  /** Again, after it ended. */
  startDemo(index: 0 | 1): Promise<void>;
  /** A Prometheus without a Collector in between, which scrapes both replicas. */
  startDirectPrometheus(): Promise<PrometheusApi>;
  stop(): Promise<void>;
}

/** As in docker-compose.yml, where a test does not make it faster. */
const EXPORT_INTERVAL_MILLIS = Math.round(10_000 / TIME_FACTOR);

/**
 * The whole stack of docker-compose.yml on loopback, but for Grafana: PostgreSQL, two replicas of the demo, the
 * Collector, Prometheus and an Alertmanager with notify.yml. The configuration is the repository's: see config.ts.
 */
export async function startStack(demoEnv: NodeJS.ProcessEnv = {}): Promise<RunningStack> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-stack-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const stopNext of stops.splice(0).reverse()) await stopNext();
  };
  try {
    const free = await freePorts(SERVICE_PORTS.length);
    const ports = Object.fromEntries(
      SERVICE_PORTS.map((port, index) => [port, free[index]]),
    ) as unknown as Ports;
    const postgres = await startPostgres();
    stops.push(() => postgres.stop());
    const capture = await startCapture();
    stops.push(() => capture.stop());
    await writeConfiguration(folder, ports, capture);

    const startCollector = async () => {
      const collector = await startProgram(collectorBinary(), {
        args: [`--config=${folder}/otel-collector.yaml`],
        ready: () => answersOk(`http://127.0.0.1:${ports[13133]}/`),
      });
      stack.collector = collector;
      stops.push(() => collector.kill());
    };
    const startDemo = async (index: 0 | 1) => {
      const demo = await demoProgram(`demo-${index + 1}`, postgres, ports[4318], demoEnv);
      stack.demos[index] = demo;
      stops.push(() => demo.program.stop());
    };
    const startPrometheus = async (name: string, port: number) => {
      const origin = `http://127.0.0.1:${port}`;
      const program = await startProgram("prometheus", {
        args: [
          `--config.file=${folder}/prometheus/${name}.yml`,
          `--storage.tsdb.path=${folder}/${name}-data`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        ready: () => answersOk(`${origin}/-/ready`),
      });
      stops.push(() => program.kill());
      return new PrometheusApi(origin);
    };

    const stack = { folder, ports, postgres, capture, startCollector, startDemo, stop } as {
      -readonly [Key in keyof RunningStack]: RunningStack[Key];
    } & { demos: [Demo, Demo] };
    stack.demos = [] as unknown as [Demo, Demo];
    const startAlertmanager = async () => {
      const program = await startProgram("prometheus-alertmanager", {
        args: [
          `--config.file=${folder}/alertmanager/notify.yml`,
          `--storage.path=${folder}/alertmanager-data`,
          `--web.listen-address=127.0.0.1:${ports[9093]}`,
          "--cluster.listen-address=",
        ],
        ready: () => answersOk(`http://127.0.0.1:${ports[9093]}/-/ready`),
      });
      stops.push(() => program.kill());
    };
    await Promise.all([startCollector(), startAlertmanager(), startDemo(0), startDemo(1)]);
    stack.prometheus = await startPrometheus("prometheus", ports[9090]);
    stack.startDirectPrometheus = async () => {
      const [port = 0] = await freePorts(1);
      await writeDirectConfiguration(folder, stack.demos);
      return startPrometheus("direct", port);
    };
    return stack;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function demoProgram(
  instance: string,
  postgres: PostgresServer,
  otlpPort: number,
  env: NodeJS.ProcessEnv,
): Promise<Demo> {
  const program = await startProgram(process.execPath, {
    args: ["--import", "tsx", "demo/main.ts"],
    env: {
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGUSER: postgres.user,
      PGPASSWORD: postgres.password,
      PGDATABASE: "postgres",
      PORT: "0",
      DEMO_LOAD: "off",
      OTEL_SERVICE_NAME: "poolscope-demo",
      OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${instance}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${otlpPort}`,
      OTEL_METRIC_EXPORT_INTERVAL: String(EXPORT_INTERVAL_MILLIS),
      OTEL_METRIC_EXPORT_TIMEOUT: String(EXPORT_INTERVAL_MILLIS),
      ...env,
    },
    ready: ({ output }) => /http:\/\/127\.0\.0\.1:\d+/.test(output),
  });
  const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(program.output)?.[0] ?? "";
  return { instance, origin, program };
}

/** What the profile "notify" reads from /run/secrets. */
export const SECRETS: Readonly<Record<string, string>> = {
  slack_webhook_url: "SLACK-SECRET-7f3a",
  pagerduty_routing_key: "PAGERDUTY-SECRET-91bc",
};

async function writeConfiguration(folder: string, ports: Ports, capture: Capture): Promise<void> {
  const paths = [
    "otel-collector.yaml",
    "prometheus/prometheus.yml",
    ...(await stackFiles("prometheus/rules", ".yml")),
    "alertmanager/notify.yml",
    ...(await stackFiles("alertmanager/templates", ".tmpl")),
  ];
  for (const path of paths) {
    const text = hurried(onLoopback(await stackFile(path), ports))
      .replaceAll("/run/secrets/", `${folder}/secrets/`)
      .replaceAll("https://events.pagerduty.com", capture.origin);
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await mkdir(join(folder, "secrets"));
  const { slack_webhook_url, pagerduty_routing_key } = SECRETS;
  await writeFile(
    join(folder, "secrets/slack_webhook_url"),
    `${capture.origin}/services/${slack_webhook_url}\n`,
  );
  await writeFile(join(folder, "secrets/pagerduty_routing_key"), `${pagerduty_routing_key}\n`);
}

/** prometheus.yml with the job it has commented out, "Without a Collector", in place of the two others. */
async function writeDirectConfiguration(folder: string, demos: readonly Demo[]): Promise<void> {
  const text = await stackFile("prometheus/prometheus.yml");
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.includes("- job_name: poolscope-demo"));
  const job = lines.slice(start, start + 3).map((line) => line.replace("# ", ""));
  const head = lines.slice(0, lines.indexOf("alerting:"));
  const targets = demos.map(({ origin }) => `"${new URL(origin).host}"`).join(", ");
  const direct = [...head, "scrape_configs:", ...job]
    .join("\n")
    .replace(/targets: .*/, `targets: [${targets}]`);
  await writeFile(join(folder, "prometheus", `${basename("direct.yml")}`), hurried(direct));
}
