import type { TestProject } from "vitest/node";
import { startPostgres } from "../../demo/postgres-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    postgres: { host: string; port: number; user: string; password: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(["-c", "max_connections=200"]);
  const { host, port, user, password } = server;
  project.provide("postgres", { host, port, user, password });
  return () => server.stop();
}
