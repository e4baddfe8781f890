import { spawn } from "node:child_process";
import { once } from "node:events";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import { until } from "./until.ts";

export interface DemoProcess {
  readonly origin: string;
  /** Its database, which can be taken away and given back. */
  readonly postgres: PostgresServer;
  post(path: string): Promise<Response>;
  stop(): Promise<void>;
}

/** The demo application under its own load, on a database of its own. */
export async function startDemo(env: NodeJS.ProcessEnv = {}): Promise<DemoProcess> {
  const postgres = await startPostgres();
  const { host, port, user, password } = postgres;
  const connection = {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: "postgres",
  };
  const demo = spawn(process.execPath, ["--import", "tsx", "demo/main.ts"], {
    env: { ...process.env, PORT: "0", ...connection, ...env },
  });
  let output = "";
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const exited = once(demo, "exit");
  const stop = async () => {
    demo.kill("SIGTERM");
    await exited;
    await postgres.stop();
  };
  const printed = () => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
  await until(() => printed() !== undefined || demo.exitCode !== null, 60_000);
  const origin = printed();
  if (origin === undefined) throw new Error(`the demo did not start:\n${output}`);
  return { origin, postgres, stop, post: (path) => fetch(`${origin}${path}`, { method: "POST" }) };
}
