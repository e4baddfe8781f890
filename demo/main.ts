import { once } from "node:events";
import { poolscope, webhook } from "poolscope";
import { answerErrors, createApp } from "./app.ts";
import { connectionFrom } from "./connection.ts";
import { churnRoute, failRoute } from "./faults.ts";
import { holdRoutes } from "./hold.ts";
import { RUSH, startLoad } from "./load.ts";
import { page } from "./page.ts";
import { closePools, createTables, openPools } from "./pools.ts";
import { queryName } from "./query-name.ts";
import { addressFrom, serve } from "./server.ts";
import { settings } from "./settings.ts";
import { stopSignal } from "./stop-signal.ts";

const signal = stopSignal();
/** Milliseconds of the two seconds that the demo may take to end: PostgreSQL takes as long, and may not answer at all. */
const TIMEOUT_MILLIS = 500;
/** What was started, in that order; stopped in the reverse one. */
const stops: (() => Promise<void>)[] = [];

try {
  const origin = await start();
  signal.throwIfAborted();
  console.log(invitation(origin));
  await once(signal, "abort");
} catch (error) {
  if (!signal.aborted) {
    console.error(`The demo cannot start: ${reason(error)}`);
    process.exitCode = 1;
  }
}
await stop();
// Sockets to a database that does not answer would keep the process alive.
process.exit();

async function start(): Promise<string> {
  const address = addressFrom(process.env);
  const { connection, stop: stopPostgres } = await connectionFrom(process.env);
  stops.push(stopPostgres);
  signal.throwIfAborted();

  const pools = openPools(connection);
  stops.push(() => closePools(pools, TIMEOUT_MILLIS));
  const told = process.env["DEMO_WEBHOOK"];
  const scope = poolscope({
    serviceName: process.env["OTEL_SERVICE_NAME"] || "poolscope-demo",
    // Ctrl-C is answered by one line, and by what goes wrong then.
    logger: { ...console, info: (line: string) => signal.aborted || console.info(line) },
    ...settings,
    queryName,
    notifiers: told ? [webhook(told)] : [],
  });
  stops.push(() => scope.shutdown());

  const app = createApp(pools, scope);
  app.get("/", (_request, response) => void response.type("html").send(page));
  const { hold, giveBack } = holdRoutes(pools, signal);
  app.route("/demo/hold").post(hold).delete(giveBack);
  app.post("/demo/fail", failRoute(pools));
  app.post("/demo/churn", churnRoute(pools));
  app.use(answerErrors);

  await unlessAborted(createTables(pools));
  const { server, origin } = await serve(app, address);
  const shutdown = { signals: [], delayMillis: 0, timeoutMillis: TIMEOUT_MILLIS, exit: false };
  const { begin } = scope.gracefulShutdown(server, shutdown);
  const stopLoad = process.env["DEMO_LOAD"] === "off" ? async () => {} : startLoad(origin);
  // The load waits for answers, which the shutdown cuts off when they take too long.
  stops.push(async () => void (await Promise.all([stopLoad(), begin()])));
  return origin;
}

/** Work that waits for a database may never end. */
async function unlessAborted(work: Promise<unknown>): Promise<void> {
  await Promise.race([work, once(signal, "abort")]);
  signal.throwIfAborted();
}

async function stop(): Promise<void> {
  for (const stopNext of stops.reverse()) {
    await stopNext().catch((error) => {
      console.error(`The demo did not stop cleanly: ${reason(error)}`);
      process.exitCode = 1;
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invitation(origin: string): string {
  return `
The poolscope demo is running. Look at

  ${origin}/
  ${origin}/health
  ${origin}/health/database
  ${origin}/health/database/reports
  ${origin}/metrics

Every minute, from second ${RUSH.fromSecond} to ${RUSH.toSecond}, more reports are asked for than "reports" has connections.
Hold 3 clients of the pool "orders" for 20 seconds, which is a suspected leak after ${settings.leakAfterMillis / 1000}:

  curl -X POST "${origin}/demo/hold?pool=orders&clients=3&seconds=20"

DEMO_LOAD=off npm start runs it without load. DEMO_WEBHOOK=<url> is sent its alerts. Ctrl-C stops it.
`;
}
