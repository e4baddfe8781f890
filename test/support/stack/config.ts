import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "./program.ts";

/*
 * The configuration that docker-compose.yml mounts, made to run on loopback and in less time. Two things are replaced in
 * the text and nothing else: addresses of services, and durations. docs/stack.md tells readers so.
 */

const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

const SERVICE_PORTS = [3000, 4317, 4318, 8888, 8889, 9090, 9093, 9094, 13133] as const;

/** Which free port stands in for the port of a service. */
export type Ports = Readonly<Record<(typeof SERVICE_PORTS)[number], number>>;

export async function freeStandIns(): Promise<Ports> {
  const free = await freePorts(SERVICE_PORTS.length);
  return Object.fromEntries(SERVICE_PORTS.map((port, index) => [port, free[index]])) as unknown as Ports;
}

async function stackFile(path: string): Promise<string> {
  return readFile(join(ROOT, path), "utf8");
}

/** `path` of every file in a folder, as the repository has it. */
async function stackFiles(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(join(ROOT, folder));
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}

const SERVICE = /\b(?:0\.0\.0\.0|otel-collector|prometheus|alertmanager|alert-sink):(\d+)\b/g;

/** `otel-collector:8889` and `0.0.0.0:8889` become `127.0.0.1:<the port that stands in for 8889>`. */
export function onLoopback(text: string, ports: Ports): string {
  return text
    .replace(SERVICE, (_, port) => `127.0.0.1:${standIn(ports, port)}`)
    .replace(
      /host: 0\.0\.0\.0(\s+)port: (\d+)/g,
      (_, space, port) => `host: 127.0.0.1${space}port: ${standIn(ports, port)}`,
    );
}

function standIn(ports: Ports, port: string): number {
  const found = (ports as Record<string, number>)[port];
  if (found === undefined) throw new Error(`${port} is the port of no service`);
  return found;
}

const SETTINGS =
  "for|keep_firing_for|interval|scrape_interval|evaluation_interval|group_wait|group_interval|metric_expiration";
const SETTING = new RegExp(`^(\\s*(?:- )?(?:${SETTINGS}):\\s*)(\\d+[smhd])\\s*$`, "gm");
const RANGE = /\[(\d+[smhd])\]/g;

/** Settings that are durations, and the ranges of queries, divided by the factor. */
function hurried(text: string, factor: number): string {
  return text
    .replace(SETTING, (_, setting, duration) => `${setting}${divided(duration, factor)}`)
    .replace(RANGE, (_, duration) => `[${divided(duration, factor)}]`);
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function divided(duration: string, factor: number): string {
  const seconds = Number.parseInt(duration, 10) * (UNIT_SECONDS[duration.at(-1) ?? ""] ?? Number.NaN);
  return `${Math.round((seconds * 1000) / factor)}ms`;
}

/** otel-collector.yaml with what is commented out live, and what that is instead of gone. */
export function secondWay(text: string): string {
  return text
    .replace(/^( +)exporters: \[prometheus, debug\]\n/m, "")
    .replace(/^( +)# exporters: /m, "$1exporters: ")
    .replace(/^ {2}# otlp_http[\s\S]*?(?=^\S)/m, (block) => block.replace(/^ {2}# /gm, "  "));
}

/** What the profile "notify" reads from /run/secrets. */
export const SECRETS: { readonly slack: string; readonly pagerDuty: string } = {
  slack: "T0/B0/slack-secret-7f3a",
  pagerDuty: "pagerduty-secret-91bc",
};

export interface Changes {
  readonly ports: Ports;
  /** What every duration is divided by. */
  readonly factor: number;
  /** Where Slack and PagerDuty are. */
  readonly capture: string;
}

/** Everything the stack mounts, with the profile "notify". */
export async function writeConfiguration(folder: string, { ports, factor, capture }: Changes): Promise<void> {
  const paths = [
    "otel-collector.yaml",
    "prometheus/prometheus.yml",
    ...(await stackFiles("prometheus/rules", ".yml")),
    "alertmanager/notify.yml",
    ...(await stackFiles("alertmanager/templates", ".tmpl")),
  ];
  for (const path of paths) {
    const text = hurried(onLoopback(await stackFile(path), ports), factor)
      .replaceAll("/run/secrets/", `${folder}/run/secrets/`)
      .replaceAll("https://events.pagerduty.com", capture);
    await write(join(folder, path), text);
  }
  await write(join(folder, "run/secrets/slack_webhook_url"), `${capture}/services/${SECRETS.slack}\n`);
  await write(join(folder, "run/secrets/pagerduty_routing_key"), `${SECRETS.pagerDuty}\n`);
}

/** prometheus.yml with the job that it has commented out, "Without a Collector", in place of the others. */
export async function writeDirectJob(
  folder: string,
  hosts: readonly string[],
  factor: number,
): Promise<void> {
  const text = await stackFile("prometheus/prometheus.yml");
  const [, job = ""] = /Without a Collector.*\n((?: {2}# .*\n)+)/.exec(text) ?? [];
  const head = text.slice(0, text.indexOf("alerting:"));
  const targets = `targets: [${hosts.map((host) => `"${host}"`).join(", ")}]`;
  const direct = `${head}scrape_configs:\n${job.replaceAll("# ", "")}`.replace(/targets: .*/, targets);
  await write(join(folder, "prometheus/direct.yml"), hurried(direct, factor));
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
