import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

export interface PrometheusServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Debian's Prometheus on loopback and a free port.
 *
 * @param config As in prometheus.yml; with `rules`, those are loaded too.
 */
export async function startPrometheus(config: object, rules?: object): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-prometheus-"));
  // JSON is YAML.
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify({ ...config, rule_files: ["*.rules.yml"] }));
  if (rules) await writeFile(join(folder, "test.rules.yml"), JSON.stringify(rules));
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
