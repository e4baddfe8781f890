import { once } from "node:events";
import { poolscope } from "poolscope";
import { answerErrors, createApp } from "./app.ts";
import { holdRoute } from "./hold.ts";
import { startLoad } from "./load.ts";
import { page } from "./page.ts";
import { closePools, createTables, openPools } from "./pools.ts";
import { startPostgresProcess } from "./postgres-process.ts";
import { portFrom, serve } from "./server.ts";
import { stopSignal } from "./stop-signal.ts";

const signal = stopSignal();
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

async function start(): Promise<string> {
  const port = portFrom(process.env);
  const postgres = await startPostgresProcess();
  stops.push(postgres.stop);
  signal.throwIfAborted();

  const pools = openPools(postgres.connection);
  stops.push(() => closePools(pools));
  const scope = poolscope({ serviceName: "poolscope-demo", logger: console, sampleIntervalMillis: 5000 });
  stops.push(() => scope.shutdown());

  const app = createApp(pools, scope);
  app.get("/", (_request, response) => void response.type("html").send(page));
  app.post("/demo/hold", holdRoute(pools, signal));
  app.use(answerErrors);

  await createTables(pools);
  const server = await serve(app, port);
  stops.push(server.stop);
  if (process.env["DEMO_LOAD"] !== "off") stops.push(startLoad(server.origin));
  return server.origin;
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

Hold 3 clients of the pool "orders" for 20 seconds:

  curl -X POST "${origin}/demo/hold?pool=orders&clients=3&seconds=20"

DEMO_LOAD=off npm start runs it without load. Ctrl-C stops it.
`;
}
