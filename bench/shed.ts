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

const CONNECTIONS = 10;
const HOLD_MILLIS = 50;
const SECONDS = 10;
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

export async function shed(): Promise<void> {
  const server = await startPostgres();
  try {
    const capacity = CONNECTIONS / (HOLD_MILLIS / 1000);
    const rate = OVERLOAD * capacity;
    console.log(
      `shed: ${CONNECTIONS} connections, one ${HOLD_MILLIS} ms query a request, at most ${capacity} requests/s; ` +
        `${rate} requests/s for ${SECONDS} s, deadline ${DEADLINE_MILLIS} ms`,
    );
    console.log(
      `  ${"".padEnd(30)} goodput/s  of capacity  served p50  p99 ms  refused fast  failed late  no answer in time`,
    );
    const goodputs = new Map<Case, number>();
    for (const each of cases) goodputs.set(each, await measure(each, server, rate, capacity));
    const [bare, , , shedding] = [...goodputs.values()];
    if (!(Number(shedding) > 2 * Number(bare))) throw new Error("shedding did not help");
    await decisionCost();
  } finally {
    await server.stop();
  }
}

async function measure(
  { name, shed: options, connectionTimeoutMillis = 0 }: Case,
  { host, port, user, password }: PostgresServer,
  rate: number,
  capacity: number,
): Promise<number> {
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

    const answers = await openLoad(rate, () => ask(target));
    const [reading] = await scope.readings();
    const good = answers.filter(({ status }) => status === 200).map(({ millis }) => millis);
    const refused = answers.filter(({ status }) => status === 503);
    const failed = answers.filter(({ status }) => status === 500);
    const goodput = good.length / SECONDS;
    const share = (part: number) => `${((100 * part) / answers.length).toFixed(1)} %`;
    console.log(
      `  ${name.padEnd(30)} ${goodput.toFixed(0).padStart(9)} ${`${((100 * goodput) / capacity).toFixed(0)} %`.padStart(12)}` +
        ` ${quantile(good, 0.5).padStart(11)} ${quantile(good, 0.99).padStart(7)} ${share(refused.length).padStart(13)}` +
        ` ${share(failed.length).padStart(12)} ${share(answers.length - good.length - refused.length - failed.length).padStart(18)}` +
        (options
          ? `; refused in ${quantile(
              refused.map(({ millis }) => millis),
              0.99,
            )} ms (p99)`
          : ""),
    );
    const expected = options ? refused.length : 0;
    // Callers that are gone may have been refused too: the counter knows of those and we do not.
    const gone = answers.filter(({ status }) => status === undefined).length;
    const counted = reading?.shed ?? -1;
    if (counted < expected || counted > expected + (options ? gone : 0)) {
      throw new Error(`counted ${counted} shed, ${expected} were`);
    }
    return goodput;
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
  rate: number,
  send: () => Promise<{ status: number | undefined }>,
): Promise<Answer[]> {
  const random = seeded(1);
  const answers: Promise<Answer>[] = [];
  const began = performance.now();
  for (let due = began; ; ) {
    due += (-1000 / rate) * Math.log(1 - random());
    if (due - began > SECONDS * 1000) break;
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
async function decisionCost(): Promise<void> {
  const times = 5_000_000;
  for (const pools of [1, 4]) {
    const scope = poolscope({ sampleIntervalMillis: 0, processes: 0 });
    for (let at = 0; at < pools; at++) scope.watch(new pg.Pool(), { name: `pool-${at}` });
    const middleware = scope.shedLoad();
    const response = {} as never;
    let passed = 0;
    const next = () => void passed++;
    const run = () => {
      const began = process.hrtime.bigint();
      for (let time = 0; time < times; time++) middleware(response, response, next);
      return Number(process.hrtime.bigint() - began) / times;
    };
    const nanos = [run(), run(), run(), run(), run()].slice(1).sort((a, b) => a - b);
    if (passed !== 5 * times) throw new Error(`${passed} of ${5 * times} passed`);
    console.log(
      `  a request that passes costs ${nanos[0]?.toFixed(0)}–${nanos.at(-1)?.toFixed(0)} ns with ${pools} ${pools === 1 ? "pool" : "pools"}`,
    );
    await scope.shutdown();
  }
}

function quantile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]?.toFixed(0) ?? "–";
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
