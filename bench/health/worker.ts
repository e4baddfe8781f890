import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import pg from "pg";
import { poolscope } from "poolscope";
import { expectCount } from "../contestants/contestant.ts";
import type { Start } from "../harness/task.ts";
import { InstantServer } from "../support/instant-server.ts";

const CONNECTIONS = 10;

export interface Argument {
  /** Whether all connections are handed out, and callers wait. */
  readonly isExhausted: boolean;
  /** What the static twin answers; null for the health endpoint itself. */
  readonly twin: { readonly status: number; readonly body: unknown } | null;
}

export interface Standing {
  readonly port: number;
  /** Microseconds of CPU since the process began. */
  readonly cpuMicros: number;
}

/** A server until its end: each round only says how it stands. */
export const start: Start<Argument, null, Standing> = async ({ isExhausted, twin }) => {
  const app = express();
  let close = async () => {};
  if (twin) {
    app.get("/health/database", (_request, response) => {
      response.status(twin.status).json(twin.body);
    });
  } else {
    const stream = () => new InstantServer() as never;
    const pool = new pg.Pool({ host: "127.0.0.1", stream, max: CONNECTIONS, idleTimeoutMillis: 0 });
    const scope = poolscope({ processes: 0 });
    scope.watch(pool, { name: "orders" });
    app.use("/health", scope.health());
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
    if (!isExhausted) for (const client of clients.splice(0)) client.release();
    const waiting = isExhausted ? Array.from({ length: CONNECTIONS }, () => pool.connect()) : [];
    close = async () => {
      expectCount("connections used", (await scope.readings())[0]?.used, isExhausted ? CONNECTIONS : 0);
      for (const client of clients) client.release();
      for (const client of await Promise.all(waiting)) client.release();
      await scope.shutdown();
      await pool.end();
    };
  }
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    round() {
      const { user, system } = process.cpuUsage();
      return { port: (server.address() as AddressInfo).port, cpuMicros: user + system };
    },
    async finish() {
      await close();
      server.close().closeAllConnections();
    },
  };
};
