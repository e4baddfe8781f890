/**
 * What becomes of requests when three times as many come as a pool can serve: an Express app on a real PostgreSQL, a
 * pool of ten, one query of 50 ms a request. The load is open: requests come at their times whether others were
 * answered or not, as those of many callers do. A caller that has no answer after a second is gone; its query runs all
 * the same. The same arrivals meet an app without protection, one whose pool gives up on those who wait too long, and
 * one that sheds.
 *
 * Generator and app share one process: what is measured is the queue, not the CPU.
 */
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import express, { type ErrorRequestHandler } from "express";
import pg from "pg";
import { poolscope, type ShedLoadOptions } from "poolscope";
import { type PostgresServer, startPostgres } from "../demo/postgres-server.ts";
import { exponential, seeded } from "../test/support/random.ts";
import type { Bench, Cell, Effort, Table } from "./harness/bench.ts";
import { figure, quantile } from "./harness/statistics.ts";

const CONNECTIONS = 10;
const HOLD_MILLIS = 50;
const SECONDS: Record<Effort, number> = { full: 10, quick: 5, smoke: 0.5 };
const OVERLOAD = 3;
const DEADLINE_MILLIS = 1_000;
/** Half of the deadline is left for the query, the network and what the estimate is off by. */
const SHED: ShedLoadOptions = { maxWaitMillis: DEADLINE_MILLIS / 2 };

interface Case {
  readonly name: string;
  readonly connectionTimeoutMillis?: number;
  readonly shed?: ShedLoadOptions;
}

const cases: readonly Case[] = [
  { name: "no protection" },
  { name: "connectionTimeoutMillis: 1000", connectionTimeoutMillis: DEADLINE_MILLIS },
  { name: "connectionTimeoutMillis: 500", connectionTimeoutMillis: DEADLINE_MILLIS / 2 },
  { name: "shedLoad, maxWaitMillis: 500", shed: SHED },
];

/** Undefined where the caller was gone before the answer came. */
interface Answer {
  readonly status: number | undefined;
  readonly millis: number;
}

export const shed: Bench = async ({ effort, progress }) => {
  const server = await startPostgres();
  try {
    const capacity = CONNECTIONS / (HOLD_MILLIS / 1000);
    const load = { rate: OVERLOAD * capacity, seconds: SECONDS[effort], capacity };
    const rows: { name: string; cells: readonly Cell[] }[] = [];
    for (const each of effort === "smoke" ? cases.slice(-1) : cases) {
      progress(each.name);
      rows.push({ name: each.name, cells: await measure(each, server, load) });
    }
    const [bare, shedding] = [rows.at(0), rows.at(-1)].map((row) => Number(row?.cells[0]));
    if (!(Number(shedding) > 1.5 * Number(bare)) && effort !== "smoke")
      throw new Error("shedding did not help");
    const columns = ["goodput/s", "% of capacity", "served p50 ms", "p99 ms", "refused %", "refused p99 ms"];
    return {
      tables: [
        {
          title: `${load.rate} requests/s for ${load.seconds} s, of which ${capacity}/s can be served within ${DEADLINE_MILLIS} ms`,
          columns: [...columns, "failed late %", "no answer in time %"],
          rows,
        },
        await decisionCost(effort),
      ],
      reached: { ofCapacity: Number(shedding) / capacity },
    };
  } finally {
    await server.stop();
  }
};

interface Load {
  readonly rate: number;
  readonly seconds: number;
  readonly capacity: number;
}

async function measure(
  { shed: options, connectionTimeoutMillis = 0 }: Case,
  { host, port, user, password }: PostgresServer,
  load: Load,
): Promise<readonly Cell[]> {
  const account = { host, port, user, password, database: "postgres" };
  const pool = new pg.Pool({ ...account, max: CONNECTIONS, idleTimeoutMillis: 0, connectionTimeoutMillis });
  pool.on("error", () => {});
  const scope = poolscope({ processes: 0 });
  scope.watch(pool, { name: "bench" });
  const app = express();
  if (options) app.use(scope.shedLoad(options));
  app.get("/", (_request, response, next) => {
    pool.query("SELECT pg_sleep($1)", [HOLD_MILLIS / 1000]).then(() => response.json({ done: true }), next);
  });
  const answerErrors: ErrorRequestHandler = (_error, _request, response, _next) => {
    response.status(500).json({ error: "busy" });
  };
  app.use(answerErrors);
  const http = createServer(app).listen(0, "127.0.0.1");
  await once(http, "listening");
  const target = { port: (http.address() as AddressInfo).port, agent: new Agent({ keepAlive: true }) };
  try {
    const warmed = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
    for (const client of warmed) client.release();

    const answers = await openLoad(load, () => ask(target));
    const [reading] = await scope.readings();
    const good = answers.filter(({ status }) => status === 200).map(({ millis }) => millis);
    const refused = answers.filter(({ status }) => status === 503);
    const failed = answers.filter(({ status }) => status === 500);
    const goodput = good.length / load.seconds;
    const percent = (part: number) => (100 * part) / answers.length;
    const lost = answers.length - good.length - refused.length - failed.length;
    const refusedP99 = quantile(
      refused.map(({ millis }) => millis),
      0.99,
    );
    const expected = options ? refused.length : 0;
    // Callers that are gone may have been refused too: the counter knows of those and we do not.
    const gone = answers.filter(({ status }) => status === undefined).length;
    const counted = reading?.shed ?? -1;
    if (counted < expected || counted > expected + (options ? gone : 0)) {
      throw new Error(`counted ${counted} shed, ${expected} were`);
    }
    return [
      ...[goodput, (100 * goodput) / load.capacity, quantile(good, 0.5), quantile(good, 0.99)],
      ...[percent(refused.length), refused.length > 0 ? refusedP99 : null],
      ...[percent(failed.length), percent(lost)],
    ];
  } finally {
    target.agent.destroy();
    http.close().closeAllConnections();
    await scope.shutdown();
    // What still waits in an unprotected queue is not worth the time.
    await Promise.race([pool.end(), sleep(500)]);
  }
}

/** Poisson arrivals, the same in every case. Times count from when a request was due: a late generator hides nothing. */
async function openLoad(
  { rate, seconds }: Load,
  send: () => Promise<{ status: number | undefined }>,
): Promise<Answer[]> {
  const random = seeded(1);
  const answers: Promise<Answer>[] = [];
  const began = performance.now();
  for (let due = began; ; ) {
    due += exponential(random, 1000 / rate);
    if (due - began > seconds * 1000) break;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    const at = due;
    answers.push(
      send().then(({ status }) => {
        const millis = performance.now() - at;
        return { status: millis > DEADLINE_MILLIS ? undefined : status, millis };
      }),
    );
  }
  return Promise.all(answers);
}

function ask(target: { port: number; agent: Agent }): Promise<{ status: number | undefined }> {
  return new Promise((resolve) => {
    const req = request({ host: "127.0.0.1", ...target }, (response) => {
      response.resume().on("close", () => {
        clearTimeout(gone);
        resolve({ status: response.complete ? response.statusCode : undefined });
      });
    });
    const gone = setTimeout(() => req.destroy(), DEADLINE_MILLIS);
    req.on("error", () => {
      clearTimeout(gone);
      resolve({ status: undefined });
    });
    req.end();
  });
}

/** What the middleware costs a request while nothing is shed, with one pool and with four. */
async function decisionCost(effort: Effort): Promise<Table> {
  const times = effort === "smoke" ? 1_000 : 500_000;
  const rows: { name: string; cells: Cell[] }[] = [];
  for (const pools of [1, 4]) {
    const scope = poolscope({ sampleIntervalMillis: 0, processes: 0 });
    for (let at = 0; at < pools; at++) scope.watch(new pg.Pool(), { name: `pool-${at}` });
    const middleware = scope.shedLoad();
    // Of each request, which the middleware follows until its response closes.
    const listen = (_event: string, listener: () => void) => listener;
    let passed = 0;
    const next = () => void passed++;
    const run = () => {
      const began = process.hrtime.bigint();
      for (let time = 0; time < times; time++) middleware({} as never, { once: listen } as never, next);
      return Number(process.hrtime.bigint() - began) / times;
    };
    const nanos = Array.from({ length: 8 }, run).slice(1);
    if (passed !== 8 * times) throw new Error(`${passed} of ${8 * times} passed`);
    rows.push({ name: `${pools} ${pools === 1 ? "pool" : "pools"}`, cells: [figure(nanos)] });
    await scope.shutdown();
  }
  return { title: "What the middleware costs a request that passes", columns: ["ns"], rows };
}
