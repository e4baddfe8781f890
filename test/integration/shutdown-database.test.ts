import { basename } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../demo/postgres-server.ts";
import { processesWith } from "../support/postgres-leftovers.ts";
import { startShutdownApp } from "../support/shutdown-app.ts";
import { until } from "../support/until.ts";

const TIMEOUT_MILLIS = 1_500;
/** The timeout, and what a busy machine takes for a process to end. */
const LIMIT_MILLIS = TIMEOUT_MILLIS + 1_500;

let postgres: PostgresServer;

beforeEach(async () => {
  postgres = await startPostgres();
});

afterEach(() => postgres.stop());

function send(signal: NodeJS.Signals, which: "postmaster" | "all"): void {
  const [postmaster = 0, ...others] = processesWith(basename(postgres.folder)).sort((a, b) => a - b);
  for (const pid of which === "all" ? [postmaster, ...others] : [postmaster]) process.kill(pid, signal);
}

/** What becomes of the database while a request waits for it, a client is held and others are idle. */
const faults: [string, () => Promise<void> | void][] = [
  ["is stopped, all of it (SIGSTOP)", () => send("SIGSTOP", "all")],
  ["has its postmaster stopped (SIGSTOP)", () => send("SIGSTOP", "postmaster")],
  ["is killed (SIGKILL)", () => send("SIGKILL", "postmaster")],
  ["shuts down at once (SIGQUIT)", () => send("SIGQUIT", "postmaster")],
  ["shuts down (SIGINT)", () => postgres.pause()],
  ["waits for its clients to end (SIGTERM)", () => send("SIGTERM", "postmaster")],
];

test.each(faults)("a shutdown ends within its timeout when PostgreSQL %s", async (_what, act) => {
  const { host, port, user, password } = postgres;
  const app = await startShutdownApp({
    postgres: { host, port, user, password, max: 5 },
    options: { delayMillis: 0, timeoutMillis: TIMEOUT_MILLIS },
  });
  expect((await fetch(`http://127.0.0.1:${app.port}/leak`)).status).toBe(200);
  const slow = fetch(`http://127.0.0.1:${app.port}/slow`).then(
    ({ status }) => status,
    () => "cut off",
  );
  await until(() => app.said().includes("slow queries"));
  await act();
  const { code, millis } = await app.end("SIGTERM");
  await slow;
  expect(code).toBe(0);
  expect(millis).toBeLessThan(LIMIT_MILLIS);
  expect(app.said()).toContain("orders: exit total=0 ended=true");
  expect(app.said()).not.toContain("unhandled");
});
