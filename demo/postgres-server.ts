import { mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { loadEmbedded } from "./embedded-postgres.ts";
import { doneWith, removeAtExit } from "./postgres-exit.ts";
import { removePostgres } from "./postgres-processes.ts";

export interface PostgresServer {
  /** Where its data is. */
  readonly folder: string;
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
  removeAtExit(folder);
  try {
    return await startIn(folder, flags);
  } catch (error) {
    await removePostgres(folder);
    doneWith(folder);
    throw error;
  }
}

async function startIn(folder: string, flags: readonly string[]): Promise<PostgresServer> {
  const isRoot = process.getuid?.() === 0;
  const Embedded = await loadEmbedded(isRoot ? folder : undefined);
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
    // A thousand files that are gone before a disk could fail.
    initdbFlags: ["--no-sync"],
    postgresFlags: [
      ...["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
      // Every process carries the name of the folder in its title: see postgres-processes.ts.
      ...["-c", `cluster_name=${basename(folder)}`],
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
    folder,
    host: "127.0.0.1",
    port,
    ...account,
    async pause() {
      // embedded-postgres waits for ever for a server that has ended already.
      if (isRunning) await server.stop();
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
      await removePostgres(folder);
      doneWith(folder);
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
