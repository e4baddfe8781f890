import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MANIFEST = new URL("../etc/collector-builder.yaml", import.meta.url);
const BINARY = "otelcol-poolscope";

/**
 * Where the Collector of the pinned manifest is kept, built or not: outside the tree, so that a new clone finds it, and
 * named after what it is made of, so that it is made again when that changes and only then.
 */
export function collectorBinary(): string {
  const made = [readFileSync(MANIFEST), process.platform, process.arch].join("\n");
  const hash = createHash("sha256").update(made).digest("hex").slice(0, 16);
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(caches, "poolscope", `collector-${hash}`, BINARY);
}

/** Builds it with the OpenTelemetry Collector Builder, where it is not there yet. */
async function buildCollector(): Promise<void> {
  const binary = collectorBinary();
  if (existsSync(binary)) {
    console.log(`the Collector is there: ${binary}`);
    return;
  }
  const manifest = readFileSync(MANIFEST, "utf8");
  const version = /^ {2}version: (\S+)$/m.exec(manifest)?.[1];
  console.log(`building the Collector ${version} from Go modules (about 2 minutes, once) …`);
  const startedAt = performance.now();

  // Built beside its place and moved there when it is whole: two builds at once do not see each other's halves.
  const folder = join(binary, "..");
  const building = `${folder}.${process.pid}`;
  await mkdir(building, { recursive: true });
  try {
    await writeFile(join(building, "manifest.yaml"), manifest);
    await run(building, [
      ...["run", `go.opentelemetry.io/collector/cmd/builder@v${version}`],
      ...["--config=manifest.yaml", "--ldflags=-s -w"],
    ]);
    await mkdir(folder, { recursive: true });
    await rename(join(building, BINARY), binary);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const megabytes = ((await stat(binary)).size / 1024 ** 2).toFixed(0);
  console.log(`built in ${seconds} s, ${megabytes} MiB: ${binary}`);
}

async function run(cwd: string, args: string[]): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: "0" };
  const go = spawn("go", args, { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await Promise.race([
    once(go, "exit"),
    once(go, "error").then(([error]) => Promise.reject(new Error("go cannot be run", { cause: error }))),
  ]);
  if (code !== 0) throw new Error(`the Collector Builder ended with ${code}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildCollector();
