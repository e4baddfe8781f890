import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject, onTestFinished } from "vitest";
import { until } from "./until.ts";

export interface PgBouncer {
  readonly port: number;
  /** What it has logged so far. */
  readonly log: string;
}

/** Debian's `pgbouncer` in transaction mode before the run's PostgreSQL. Stopped after the test. */
export async function startPgBouncer(
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PgBouncer> {
  const server = inject("postgres");
  const folder = mkdtempSync(join(tmpdir(), "poolscope-pgbouncer-"));
  const port = await freePort();
  const users = join(folder, "users.txt");
  const file = join(folder, "pgbouncer.ini");
  const all = {
    ...{ listen_addr: "127.0.0.1", listen_port: port, unix_socket_dir: "" },
    ...{
      auth_type: "plain",
      auth_file: users,
      pool_mode: "transaction",
      default_pool_size: 3,
      max_client_conn: 40,
    },
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(users, `"${server.user}" "${server.password}"\n`);
  writeFileSync(
    file,
    `[databases]\n* = host=${server.host} port=${server.port} user=${server.user} password=${server.password}\n` +
      `[pgbouncer]\n${lines.join("\n")}\n`,
  );
  // It refuses to run as root; its package brings this account.
  const account = process.getuid?.() === 0 ? ["-u", "postgres"] : [];
  if (account.length > 0) execFileSync("chown", ["-R", "postgres", folder]);
  let log = "";
  const bouncer = spawn("/usr/sbin/pgbouncer", [...account, file], { stdio: ["ignore", "ignore", "pipe"] });
  bouncer.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const failure = new Promise<never>((_, reject) => {
    bouncer.on("error", reject);
    bouncer.on("exit", (code) => reject(new Error(`pgbouncer ended with ${code}:\n${log}`)));
  });
  failure.catch(() => {});
  onTestFinished(async () => {
    bouncer.kill("SIGKILL");
    await failure.catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });
  await Promise.race([failure, until(() => log.includes("process up"))]);
  return {
    port,
    get log() {
      return log;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
