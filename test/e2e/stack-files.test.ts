import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseEnv } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { collectorBinary } from "../../scripts/build-collector.ts";
import { secondWay } from "../support/stack/config.ts";

/** The library that `docker compose` itself reads files with; its little program checks schema and references. */
const COMPOSE_GO = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2";
const GO_MILLIS = 300_000;

let folder: string;
let env: NodeJS.Dict<string>;
let compose: Compose;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "poolscope-files-"));
  env = parseEnv(await readFile(".env", "utf8"));
  const { output, status } = await composeGo(await readFile("docker-compose.yml", "utf8"));
  expect(status, output).toBe(0);
  compose = JSON.parse(output);
}, GO_MILLIS);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("docker-compose.yml", () => {
  test("is held against the Compose schema, which finds what is wrong", { timeout: GO_MILLIS }, async () => {
    const { output, status } = await composeGo("services: { a: { image: a, port: 1 } }");
    expect(status).toBe(1);
    expect(output).toContain("services.a.port");
  });

  test("pins the version of every image", () => {
    for (const { image } of services()) {
      if (image === "poolscope-demo") continue;
      expect(image).toMatch(/^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$/);
    }
    expect(Object.keys(env).sort()).toEqual([...new Set([...variables(), "COMPOSE_PROFILES"])].sort());
  });

  test("runs the Collector that the end-to-end suite runs", async () => {
    const { dist } = parse(await readFile("etc/collector-builder.yaml", "utf8"));
    expect(env["OTELCOL_TAG"]).toBe(dist.version);
  });

  test("opens ports on loopback only, each once", () => {
    const ports = services().flatMap(({ ports = [], profiles = [] }) =>
      profiles.includes("notify") ? [] : ports,
    );
    expect(ports.map(({ host_ip }) => host_ip)).toEqual(ports.map(() => "127.0.0.1"));
    expect(new Set(ports.map(({ published }) => published)).size).toBe(ports.length);
  });

  test("asks every container how it is that has something to ask with", () => {
    const silent = services().filter(({ healthcheck }) => !healthcheck);
    expect(silent.map(({ name }) => name)).toEqual(["otel-collector"]);
  });

  test("takes from every container what it does not need", () => {
    for (const { name, cap_drop, security_opt } of services()) {
      expect(security_opt, name).toEqual(["no-new-privileges:true"]);
      if (name !== "postgres") expect(cap_drop, name).toEqual(["ALL"]);
    }
  });

  test("mounts what is there, and cannot write to it", () => {
    for (const { name, volumes = [] } of services()) {
      for (const { type, source, read_only } of volumes) {
        if (type !== "bind") continue;
        expect(existsSync(source), `${name}: ${source}`).toBe(true);
        expect(read_only, `${name}: ${source}`).toBe(true);
      }
    }
  });

  test("has secrets in files that git ignores, and for Slack and PagerDuty only", () => {
    const withSecrets = services().filter(({ secrets = [] }) => secrets.length > 0);
    expect(withSecrets.map(({ name, profiles }) => [name, profiles])).toEqual([
      ["alertmanager-notify", ["notify"]],
    ]);
    for (const { file } of Object.values(compose.secrets)) {
      const { status } = spawnSync("git", ["check-ignore", "-q", relative(process.cwd(), file)]);
      expect(status, file).toBe(0);
    }
  });

  test("opens Grafana with a dashboard that is there", () => {
    const { environment = {}, volumes = [] } = services().find(({ name }) => name === "grafana") ?? {};
    const home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "";
    expect(existsSync(onHost(home, volumes)), home).toBe(true);
  });

  test("has a service for every host that a configuration names, and every file that a command names", async () => {
    const hosts = new Set(services().flatMap(({ name, networks }) => [name, ...aliases(networks)]));
    for (const path of [
      "prometheus/prometheus.yml",
      "alertmanager/alertmanager.yml",
      "otel-collector.yaml",
    ]) {
      const named = (await readFile(path, "utf8")).matchAll(/\b([a-z][a-z0-9-]*):\d{4,5}\b/g);
      for (const [, host = ""] of named) expect(hosts, `${host} in ${path}`).toContain(host);
    }
    for (const { command = [], volumes = [] } of services()) {
      for (const argument of command) {
        const path = /^(?:--config(?:\.file)?=)?(\/.*\.(?:ya?ml|mjs))$/.exec(argument)?.[1];
        if (path) expect(existsSync(onHost(path, volumes)), argument).toBe(true);
      }
    }
  });
});

describe("the Dockerfile", () => {
  test("copies what .dockerignore lets through, and nothing that is not there", async () => {
    const dockerfile = await readFile("Dockerfile", "utf8");
    const allowed = [...(await readFile(".dockerignore", "utf8")).matchAll(/^!(.+)$/gm)].map(
      ([, path]) => path,
    );
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = ""]) =>
      paths.split(" "),
    );
    expect(copied.sort()).toEqual(allowed.sort());
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
    expect(dockerfile.indexOf("USER node")).toBeGreaterThan(dockerfile.lastIndexOf("FROM"));
  });
});

describe("the tools themselves accept", () => {
  test("prometheus.yml with its rules", () => {
    accepts("promtool", "check", "config", "prometheus/prometheus.yml");
  });

  test("alertmanager.yml and notify.yml", () => {
    accepts("amtool", "check-config", "alertmanager/alertmanager.yml");
    accepts("amtool", "check-config", "alertmanager/notify.yml");
  });

  test("otel-collector.yaml, and the second way that it has commented out", async () => {
    accepts(collectorBinary(), "validate", "--config=otel-collector.yaml");
    const second = join(folder, "second-way.yaml");
    await writeFile(second, secondWay(await readFile("otel-collector.yaml", "utf8")));
    accepts(collectorBinary(), "validate", `--config=${second}`);
  });
});

test("the Collector accepts the agent and the gateway of docs/scaling.md", async () => {
  const blocks = [...(await readFile("docs/scaling.md", "utf8")).matchAll(/^```yaml\n([\s\S]*?)^```/gm)];
  expect(blocks.length).toBe(2);
  for (const [, block = ""] of blocks) {
    const path = join(folder, "scaling.yaml");
    await writeFile(path, block);
    accepts(collectorBinary(), "validate", `--config=${path}`);
  }
});

interface Compose {
  readonly services: Record<string, Omit<Service, "name">>;
  readonly secrets: Record<string, { readonly file: string }>;
}

interface Service {
  readonly name: string;
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly profiles?: readonly string[];
  readonly secrets?: readonly unknown[];
  readonly healthcheck?: unknown;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly { readonly host_ip: string; readonly published: string }[];
  readonly volumes?: readonly Volume[];
  readonly networks?: Record<string, { readonly aliases?: readonly string[] } | null>;
}

interface Volume {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
}

function services(): Service[] {
  return Object.entries(compose.services).map(([name, service]) => ({ ...service, name }));
}

function aliases(networks: Service["networks"] = {}): readonly string[] {
  return Object.values(networks).flatMap((network) => network?.aliases ?? []);
}

function onHost(path: string, volumes: readonly Volume[]): string {
  const volume = volumes.find(({ target }) => path === target || path.startsWith(`${target}/`));
  return volume ? path.replace(volume.target, volume.source) : path;
}

function variables(): string[] {
  return [...composeText.matchAll(/\$\{(\w+):\?\}/g)].map(([, name = ""]) => name);
}

let composeText = "";

/** With the variables of .env put in, as `docker compose` does and that program does not. */
async function composeGo(text: string): Promise<{ output: string; status: number | null }> {
  composeText ||= text;
  const copy = join(folder, "compose.yml");
  await writeFile(
    copy,
    text.replace(/\$\{(\w+):\?\}/g, (_, name) => env[name] ?? ""),
  );
  const { stdout, stderr, status } = spawnSync("go", ["run", COMPOSE_GO, "--format", "json", copy], {
    encoding: "utf8",
    env: { ...process.env, CGO_ENABLED: "0", COMPOSE_PROJECT_NAME: "poolscope" },
  });
  return { output: status === 0 ? stdout : stderr, status };
}

function accepts(command: string, ...args: string[]): void {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8" });
  expect(status, `${stdout}${stderr}`).toBe(0);
}
