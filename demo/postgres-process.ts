import { fork } from "node:child_process";
import { once } from "node:events";
import type { PostgresMessage } from "./postgres-child.ts";
import { removePostgres } from "./postgres-processes.ts";

export interface PostgresProcess {
  /** What `pg.Pool` needs to connect. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
  };
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL in a process group of its own: Ctrl-C goes to everything in the terminal's group, and would end
 * the server under the application's hands. However this process ends, the other one notices and tidies up.
 */
export async function startPostgresProcess(): Promise<PostgresProcess> {
  const child = fork(new URL("./postgres-child.ts", import.meta.url), {
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const answered = once(child, "message") as Promise<[PostgresMessage]>;
  const silent = exited.then(() => ({ error: "PostgreSQL's process ended without a reason" }));

  const answer = await Promise.race([answered.then(([message]) => message), silent]);
  if ("error" in answer) {
    await exited;
    throw new Error(answer.error);
  }
  const { folder, ...connection } = answer;
  return {
    connection,
    async stop() {
      // It may have been stopped, together with the server.
      child.kill("SIGCONT");
      if (child.connected) child.disconnect();
      await exited;
      // It may have been killed.
      await removePostgres(folder);
    },
  };
}
