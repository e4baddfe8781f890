import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./rules.ts";
import { until } from "./until.ts";

export interface PostedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly endsAt?: string;
}

export interface Alertmanager {
  post(alerts: readonly PostedAlert[]): Promise<void>;
  /** Labels of the alerts that fire and are not inhibited. */
  active(): Promise<Readonly<Record<string, string>>[]>;
  stop(): Promise<void>;
}

/**
 * Debian's Alertmanager on loopback and a free port.
 *
 * @param file Of the folder alertmanager/
 * @param changes What stands in it, and what to have there instead; each has to be there. `{folder}` is a copy of that
 *   folder.
 * @param secrets Files to have in `{folder}/secrets`
 */
export async function startAlertmanager(
  file: string,
  changes: Readonly<Record<string, string>> = {},
  secrets: Readonly<Record<string, string>> = {},
): Promise<Alertmanager> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-alertmanager-"));
  await cp(join(ROOT, "alertmanager"), folder, { recursive: true });
  let config = await readFile(join(folder, file), "utf8");
  for (const [from, to] of Object.entries(changes)) {
    if (!config.includes(from)) throw new Error(`${file} does not say ${from}`);
    config = config.replaceAll(from, to.replace("{folder}", folder));
  }
  await writeFile(join(folder, file), config);
  await mkdir(join(folder, "secrets"), { recursive: true });
  for (const [name, secret] of Object.entries(secrets))
    await writeFile(join(folder, "secrets", name), secret);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn("prometheus-alertmanager", [
    `--config.file=${join(folder, file)}`,
    `--storage.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--cluster.listen-address=",
  ]);
  let log = "";
  server.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const exited = once(server, "exit");
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(() => server.exitCode !== null || isReady(), 40_000);
  if (server.exitCode !== null) throw new Error(`Alertmanager did not start:\n${log}`);
  return {
    post: async (alerts) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}/api/v2/alerts`, {
        method: "POST",
        headers,
        body: JSON.stringify(alerts),
      });
      if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`);
    },
    active: async () => {
      const response = await fetch(`${url}/api/v2/alerts?active=true&inhibited=false&silenced=false`);
      return ((await response.json()) as { labels: Record<string, string> }[]).map(({ labels }) => labels);
    },
    stop: async () => {
      server.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
