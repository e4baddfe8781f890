import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { type PostgresServer, startPostgres } from "../../../demo/postgres-server.ts";
import { until } from "../../support/until.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { requireInstalled } from "./installed.ts";

declare module "vitest" {
  export interface ProvidedContext {
    suites: {
      readonly user: string;
      readonly password: string;
      readonly port: number;
      /** Where its Unix socket is. */
      readonly socketFolder: string;
      /** Of its TLS certificate, in PEM. */
      readonly authority: string;
      /** A database that asks no password on 127.0.0.1: hashing ten of them at once takes the time some tests allow. */
      readonly trusting: string;
    };
  }
}

const TRUSTING = "trusting";

/** A PostgreSQL that can be reached by IPv4, IPv6, Unix socket and TLS. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  requireInstalled();
  const folder = await mkdtemp(join(tmpdir(), "poolscope-suites-"));
  let server: PostgresServer | undefined;
  const stop = async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // The server may run under another account.
    await chmod(folder, 0o777);
    const certificate = await makeCertificate(folder);
    server = await startPostgres([
      ...["-c", "max_connections=200", "-c", "listen_addresses=127.0.0.1,::1"],
      ...["-c", `unix_socket_directories=${folder}`],
    ]);
    await configure(server, certificate);
    const { user, password, port } = server;
    project.provide("suites", {
      ...{ user, password, port, socketFolder: folder, authority: certificate.pem, trusting: TRUSTING },
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

async function configure({ host, port, user, password }: PostgresServer, certificate: Certificate) {
  const options = { host, port, user, password, database: "postgres" };
  const client = new pg.Client(options);
  await client.connect();
  const { rows } = await client.query("SELECT current_setting('hba_file') AS rules");
  const rules: string = rows[0].rules;
  const { uid, gid } = await stat(rules);
  for (const file of [certificate.certFile, certificate.keyFile]) {
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  }
  const others = await readFile(rules, "utf8");
  await writeFile(rules, `host ${TRUSTING} all 127.0.0.1/32 trust\n${others}`);
  await client.query(`CREATE DATABASE ${TRUSTING}`);
  await client.query(`ALTER SYSTEM SET ssl_cert_file = '${certificate.certFile}'`);
  await client.query(`ALTER SYSTEM SET ssl_key_file = '${certificate.keyFile}'`);
  await client.query("ALTER SYSTEM SET ssl = on");
  await client.query("SELECT pg_reload_conf()");
  await client.end();
  await until(() => isReachable({ ...options, ssl: { ca: certificate.pem } }));
}

async function isReachable(options: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(options);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
