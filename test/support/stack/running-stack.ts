import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresServer, startPostgres } from "../../../demo/postgres-server.ts";
import { collectorBinary } from "../../../scripts/build-collector.ts";
import { type Capture, startCapture } from "./captured.ts";
import { freeStandIns, type Ports, writeConfiguration, writeDirectJob } from "./config.ts";
import { answersOk, freePorts, type Program, startProgram } from "./program.ts";
import { PrometheusApi } from "./prometheus-api.ts";

/** One of the two replicas of the demo. */
export interface Demo {
  readonly instance: string;
  readonly origin: string;
  readonly program: Program;
}

/** OTEL_METRIC_EXPORT_INTERVAL of docker-compose.yml. */
const EXPORT_INTERVAL_MILLIS = 10_000;

/** What is there before anything of the stack runs. */
interface Ground {
  readonly folder: string;
  readonly ports: Ports;
  readonly postgres: PostgresServer;
  readonly capture: Capture;
  readonly factor: number;
}

/**
 * The whole stack of docker-compose.yml on loopback, but for Grafana: PostgreSQL, two replicas of the demo, the
 * Collector, Prometheus and an Alertmanager with notify.yml. The configuration is the repository's: see config.ts.
 */
export class RunningStack {
  readonly folder: string;
  readonly ports: Ports;
  readonly postgres: PostgresServer;
  /** Slack and PagerDuty. */
  readonly capture: Capture;
  readonly prometheus: PrometheusApi;
  readonly demos: Demo[] = [];
  collector: Program | undefined;
  readonly #factor: number;
  readonly #programs: Program[] = [];

  constructor({ folder, ports, postgres, capture, factor }: Ground) {
    this.folder = folder;
    this.ports = ports;
    this.postgres = postgres;
    this.capture = capture;
    this.prometheus = new PrometheusApi(`http://127.0.0.1:${ports[9090]}`);
    this.#factor = factor;
  }

  get exportIntervalMillis(): number {
    return EXPORT_INTERVAL_MILLIS / this.#factor;
  }

  async startAll(): Promise<void> {
    const first = [this.startCollector(), this.#startAlertmanager(), this.#startSink()];
    await Promise.all([...first, this.startDemo(0), this.startDemo(1)]);
    await this.#startPrometheus("prometheus", this.ports[9090]);
  }

  /** Also again, after it ended. */
  async startCollector(): Promise<void> {
    this.collector = await this.#start(collectorBinary(), {
      args: [`--config=${this.folder}/otel-collector.yaml`],
      ready: () => answersOk(`http://127.0.0.1:${this.ports[13133]}/`),
    });
  }

  /** Also again, after it ended. */
  async startDemo(index: number): Promise<void> {
    const instance = `demo-${index + 1}`;
    const program = await this.#start(process.execPath, {
      args: ["--import", "tsx", "demo/main.ts"],
      env: {
        PGHOST: this.postgres.host,
        PGPORT: String(this.postgres.port),
        PGUSER: this.postgres.user,
        PGPASSWORD: this.postgres.password,
        PGDATABASE: "postgres",
        PORT: "0",
        DEMO_LOAD: "off",
        DEMO_WEBHOOK: `http://127.0.0.1:${this.ports[9094]}/`,
        OTEL_SERVICE_NAME: "poolscope-demo",
        OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${instance}`,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.ports[4318]}`,
        OTEL_METRIC_EXPORT_INTERVAL: this.exportIntervalMillis.toFixed(),
        OTEL_METRIC_EXPORT_TIMEOUT: this.exportIntervalMillis.toFixed(),
      },
      ready: ({ output }) => ORIGIN.test(output),
    });
    this.demos[index] = { instance, origin: ORIGIN.exec(program.output)?.[0] ?? "", program };
  }

  /** A Prometheus of its own that scrapes both replicas, with no Collector in between. */
  async startDirectPrometheus(): Promise<PrometheusApi> {
    const [port = 0] = await freePorts(1);
    await writeDirectJob(
      this.folder,
      this.demos.map(({ origin }) => new URL(origin).host),
      this.#factor,
    );
    await this.#startPrometheus("direct", port);
    return new PrometheusApi(`http://127.0.0.1:${port}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    await this.capture.stop();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #startPrometheus(name: string, port: number): Promise<void> {
    await this.#start("prometheus", {
      args: [
        `--config.file=${this.folder}/prometheus/${name}.yml`,
        `--storage.tsdb.path=${this.folder}/${name}-data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      ready: () => answersOk(`http://127.0.0.1:${port}/-/ready`),
    });
  }

  async #startAlertmanager(): Promise<void> {
    await this.#start("prometheus-alertmanager", {
      args: [
        `--config.file=${this.folder}/alertmanager/notify.yml`,
        `--storage.path=${this.folder}/alertmanager-data`,
        `--web.listen-address=127.0.0.1:${this.ports[9093]}`,
        "--cluster.listen-address=",
      ],
      ready: () => answersOk(`http://127.0.0.1:${this.ports[9093]}/-/ready`),
    });
  }

  async #startSink(): Promise<void> {
    await this.#start(process.execPath, {
      args: ["alertmanager/sink.mjs"],
      env: { PORT: String(this.ports[9094]) },
      ready: () => answersOk(`http://127.0.0.1:${this.ports[9094]}/`),
    });
  }

  async #start(...args: Parameters<typeof startProgram>): Promise<Program> {
    const program = await startProgram(...args);
    this.#programs.push(program);
    return program;
  }
}

const ORIGIN = /http:\/\/127\.0\.0\.1:\d+/;

/** @param factor What every duration is divided by: with 15, a minute takes four seconds. */
export async function startStack(factor: number): Promise<RunningStack> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-stack-"));
  const ports = await freeStandIns();
  const [postgres, capture] = await Promise.all([startPostgres(), startCapture()]);
  const stack = new RunningStack({ folder, ports, postgres, capture, factor });
  try {
    await writeConfiguration(folder, { ports, factor, capture: capture.origin });
    await stack.startAll();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
