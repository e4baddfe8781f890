import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

export interface PrometheusServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Debian's Prometheus on loopback and a free port, with the bundled rules. */
export async function startPrometheus(config: object): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-prometheus-"));
  // JSON is YAML.
  const rules = fileURLToPath(new URL("../../prometheus/rules/*.yml", import.meta.url));
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify({ rule_files: [rules], ...config }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn("prometheus", [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  let log = "";
  server.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const exited = once(server, "exit");
  const stop = async () => {
    server.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(() => server.exitCode !== null || isReady(), 40_000);
  if (server.exitCode !== null) throw new Error(`Prometheus did not start:\n${log}`);
  return { url, stop };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
