/** A server that answers what no PostgreSQL would. */
import { createServer, type Server, type Socket } from "node:net";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { scrape } from "../support/exported.ts";
import { makeScope, read } from "../support/pools.ts";
import { until } from "../support/until.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

function message(type: string, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

function failure(code: string): Buffer {
  return message("E", `SFATAL\0VFATAL\0C${code}\0Mno\0\0`);
}

const READY = message("Z", "I");
const WELCOME = Buffer.concat([message("R", Buffer.alloc(4)), READY]);

/** Answers the start of each connection, and each message after it, with these bytes. */
async function serve(start: Buffer, answer: () => Buffer = () => READY): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(start);
      socket.on("data", () => socket.write(answer()));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

test("a server's error codes add no line to the log and no length to a line", async () => {
  const code = `\n\u001b[2K2026-11-28T00:00:00Z INFO admin login ok ${"A".repeat(200_000)}`;
  const port = await serve(failure(code));
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const scope = makeScope({ processes: 1, logger: { debug: note, info: note, warn: note, error: note } });
  const pool = new pg.Pool({ host: "127.0.0.1", port, database: "shop", user: "app" });
  scope.watch(pool);
  await expect(pool.query("SELECT 1")).rejects.toThrow();
  await until(() => lines.some((line) => line.includes("connection budget could not be compared")));
  for (const line of lines) {
    expect(line).not.toMatch(/\p{Cc}|admin/u);
    expect(line.length).toBeLessThan(500);
  }
  await pool.end();
});

test("one row count that is none leaves the sum of returned rows as it was", async () => {
  let tag = "SELECT 2";
  const row = message("D", Buffer.from([0, 1, 0, 0, 0, 1, 49]));
  const fields = message("T", Buffer.concat([Buffer.from([0, 1]), Buffer.from("a\0"), Buffer.alloc(18)]));
  const answer = () => Buffer.concat([fields, row, row, message("C", `${tag}\0`), READY]);
  const port = await serve(WELCOME, answer);
  const scope = makeScope();
  const pool = new pg.Pool({ host: "127.0.0.1", port, database: "shop", user: "app" });
  pool.on("error", () => {});
  scope.watch(pool, { name: "orders" });
  for (tag of ["SELECT 2", `SELECT ${"9".repeat(400)}`, `SELECT ${2 ** 60}`, "SELECT 2"]) {
    await pool.query("SELECT a FROM t");
  }
  const exported = await scrape(scope);
  expect(exported.value("orders", "db_client_response_returned_rows_sum")).toBe(8);
  expect(exported.value("orders", "db_client_operation_duration_seconds_count")).toBe(4);
  expect((await read(scope, "orders")).used).toBe(0);
  await pool.end();
});
