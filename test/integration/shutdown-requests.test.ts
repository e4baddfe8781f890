import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { type ShutdownApp, startShutdownApp } from "../support/shutdown-app.ts";
import { until } from "../support/until.ts";

const TIMEOUT_MILLIS = 20_000;
/** Far from the timeout, whatever the machine is busy with. */
const SOON_MILLIS = 10_000;
const options = { delayMillis: 300, timeoutMillis: TIMEOUT_MILLIS };

interface Answer {
  readonly status: number | undefined;
  readonly connection: string | undefined;
}

function keepAlive(maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

async function ask({ port }: ShutdownApp, path: string, agent: Agent): Promise<Answer> {
  const [response] = (await once(get({ host: "127.0.0.1", port, path, agent }), "response")) as [
    IncomingMessage,
  ];
  response.resume();
  await once(response, "end");
  return { status: response.statusCode, connection: response.headers.connection };
}

const KEPT = { status: 200, connection: "keep-alive" };
const LAST = { status: 200, connection: "close" };

test("answers carry Connection: close once the shutdown began, that of a request under way too", async () => {
  const app = await startShutdownApp({ options });
  const agent = keepAlive(1);
  const other = keepAlive(1);
  expect(await ask(app, "/fast", agent)).toEqual(KEPT);
  expect(await ask(app, "/fast", other)).toEqual(KEPT);
  const slow = ask(app, "/slow", other);
  await until(() => app.said().includes("slow begins"));
  const ending = app.end("SIGTERM");
  await until(() => app.said().includes("shutting down"));
  expect(await ask(app, "/fast", agent)).toEqual(LAST);
  expect(await slow).toEqual(LAST);
  expect(await ending).toMatchObject({ code: 0 });
});

test("busy keep-alive clients are all answered, and the shutdown does not wait for its timeout", async () => {
  const app = await startShutdownApp({ options });
  const agent = keepAlive(40);
  const outcomes = new Map<string, number>();
  const client = async (path: string) => {
    for (;;) {
      const outcome = await ask(app, path, agent).then(
        ({ status }) => String(status),
        ({ code }) => String(code),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === "ECONNREFUSED") return;
    }
  };
  const paths = [...Array(12).fill("/fast"), ...Array(6).fill("/slow")];
  const clients = Promise.all(paths.map(client));
  await until(() => (outcomes.get("200") ?? 0) > 50);
  const { code, millis } = await app.end("SIGTERM");
  await clients;
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(outcomes.get("ECONNREFUSED")).toBe(paths.length);
  // A connection opened in the very moment of closing is HTTP's own race.
  const { "200": _answered, ECONNREFUSED: _refused, ...cutOff } = Object.fromEntries(outcomes);
  expect(Object.values(cutOff).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2);
});

test("a request sent on a kept connection after the server closed is answered", async () => {
  const app = await startShutdownApp({ options: { ...options, delayMillis: 0 } });
  const socket = connect(app.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  const closed = once(socket, "close");
  // Node does not take half a request for an idle connection.
  socket.write("GET /fast HTTP/1.1\r\nHost: app\r\n");
  await once(socket, "ready");
  const slow = ask(app, "/slow", keepAlive(1));
  await until(() => app.said().includes("slow begins"));
  const ending = app.end("SIGTERM");
  await until(async () => (await ask(app, "/fast", keepAlive(1)).catch(() => undefined)) === undefined);
  socket.write("\r\n");
  await closed;
  expect(received).toContain("HTTP/1.1 200 OK");
  expect(received).toContain("Connection: close");
  expect(await slow).toEqual(LAST);
  expect(await ending).toMatchObject({ code: 0 });
});

test("connections that have never sent anything do not hold up a shutdown", async () => {
  const app = await startShutdownApp({ options: { ...options, delayMillis: 0 } });
  const socket = connect(app.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const { code, millis } = await app.end("SIGTERM");
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(app.said()).not.toContain("cut off");
});

test("silent TLS connections do not hold up a shutdown", async () => {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-tls-"));
  await chmod(folder, 0o755);
  onTestFinished(() => rm(folder, { recursive: true }));
  const tls = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
  const certificate = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "1",
    "-subj",
    "/CN=localhost",
  ];
  execFileSync("openssl", [...certificate, "-keyout", tls.key, "-out", tls.cert], { stdio: "ignore" });
  const app = await startShutdownApp({ protocol: "https", tls, options: { ...options, delayMillis: 0 } });
  const socket = connectTls({ port: app.port, host: "127.0.0.1", rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  const { code, millis } = await app.end("SIGTERM");
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(app.said()).not.toContain("cut off");
});

test("an HTTP/2 session ends with its last stream, which is answered", async () => {
  const app = await startShutdownApp({ protocol: "http2", options: { ...options, delayMillis: 0 } });
  const session = connectHttp2(`http://127.0.0.1:${app.port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/slow" });
  let body = "";
  stream.on("data", (chunk) => {
    body += chunk;
  });
  const answered = once(stream, "end");
  await until(() => app.said().includes("slow begins"));
  const { code, millis } = await app.end("SIGTERM");
  await answered;
  expect(body).toBe("done");
  expect(code).toBe(0);
  expect(millis).toBeLessThan(SOON_MILLIS);
  expect(app.said()).not.toContain("cut off");
});
