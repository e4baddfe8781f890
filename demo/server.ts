import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";

const DEFAULT_PORT = 3000;

export interface RunningServer {
  readonly server: Server;
  readonly origin: string;
}

export interface Address {
  readonly host: string;
  /** undefined: 3000, or any free port. */
  readonly port: number | undefined;
}

/** Loopback unless `HOST` says otherwise: the demo is for whoever started it. */
export function addressFrom(env: NodeJS.ProcessEnv): Address {
  return { host: env["HOST"] || "127.0.0.1", port: portFrom(env["PORT"]) };
}

function portFrom(value: string | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw new Error(`PORT must be a whole number from 0 (any free port) to 65535, got "${value}"`);
}

export async function serve(app: Express, { host, port }: Address): Promise<RunningServer> {
  const server = createServer(app);
  try {
    await listen(server, host, port ?? DEFAULT_PORT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    if (port !== undefined) throw new Error(`port ${port} is taken; set PORT to another one, or to 0`);
    await listen(server, host, 0);
  }
  const { port: actual } = server.address() as AddressInfo;
  return { server, origin: `http://127.0.0.1:${actual}` };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  await once(server, "listening");
}
