/** Plays the seeds it is given, several at a time, and sends what it finds to its parent. */
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Server } from "./application.ts";
import { isCalm, watchLag } from "./lag.ts";
import { ApplicationMistake } from "./mistakes.ts";
import { planOf } from "./plan.ts";
import { type Finding, Run, type Subject, type World } from "./run.ts";
import { currentRun, noteTimers, timersAlive } from "./timers.ts";

export interface Order {
  readonly seeds: readonly number[];
  readonly subjects: readonly Subject[];
  readonly concurrency: number;
  readonly server: Server;
}

export type Message =
  | { readonly is: "alive" }
  | {
      readonly is: "played";
      readonly seed: number;
      readonly findings: readonly Finding[];
      readonly facts: Facts;
    }
  | { readonly is: "finished" };

export interface Facts {
  readonly callers: number;
  readonly failures: number;
  readonly connections: number;
  readonly mistakes: number;
  readonly millis: number;
}

const JOURNAL_FD = 3;
const order: Order = JSON.parse(process.argv[2] ?? "");
const send = (message: Message) => process.connected && process.send?.(message);

process.on("uncaughtException", (error) => survive("uncaught exception", error));
process.on("unhandledRejection", (error) => survive("unhandled rejection", error));
noteTimers();
const heartbeat = setInterval(() => send({ is: "alive" }), 500).unref();

const admin = new pg.Pool({ ...order.server, host: "127.0.0.1", database: "postgres", max: 4 });
const world: World = {
  server: order.server,
  ask: async (sql, ...values) => (await currentRun.exit(() => admin.query(sql, values))).rows,
  journal: (line) => void writeSync(JOURNAL_FD, `${line}\n`),
};
const stopWatching = watchLag(async () => {
  const client = new pg.Client({ ...order.server, host: "127.0.0.1", database: "postgres" });
  await client.connect();
  await client.end();
});
const seeds = [...order.seeds];
const played: Run[] = [];
let running = 0;
await Promise.all(
  Array.from({ length: order.concurrency }, async () => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      // Runs that are all starved would find nothing but that.
      while (running > 0 && !isCalm()) await pause(50);
      running++;
      await play(seed);
      running--;
    }
  }),
);
stopWatching();
await admin.end();
// By now everything has ended by itself, also what a place that was lost has left behind.
setTimeout(reportAlive, 18_000).unref();
send({ is: "finished" });
// The channel alone keeps no process.
process.channel?.unref();
clearInterval(heartbeat);

async function play(seed: number): Promise<void> {
  const since = performance.now();
  const plan = planOf(seed);
  const runs = await Promise.all(order.subjects.map((subject) => Run.play(plan, subject, world)));
  played.push(...runs);
  const sum = (count: (run: Run) => number) => runs.reduce((total, run) => total + count(run), 0);
  send({
    is: "played",
    seed,
    findings: runs.flatMap((run) => run.findings),
    facts: {
      callers: sum((run) => run.callers.all.length),
      failures: sum((run) => run.callers.all.filter((caller) => caller.error).length),
      connections: sum((run) => run.events.opened),
      mistakes: sum((run) => run.mistakes.made.length),
      millis: performance.now() - since,
    },
  });
}

/** Something keeps this process: which run has made it, and where. */
function reportAlive(): void {
  for (const run of played) {
    const places = timersAlive(run.timers);
    if (places.length > 0) run.found("process kept alive", places.join("; "));
    const findings = run.findings.filter(({ kind }) => kind === "process kept alive");
    if (findings.length > 0) send({ is: "played", seed: -1, findings, facts: NO_FACTS });
  }
  console.error("still alive:", process.getActiveResourcesInfo().join(", "));
}

/** The application's own mistakes are survived, as by a process with such a handler. Nothing else may come here. */
function survive(kind: string, error: unknown): void {
  if (error instanceof ApplicationMistake) return;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const run = currentRun.getStore();
  if (run) run.found(kind, detail);
  else {
    const finding: Finding = { seed: -1, subject: "recycled", kind, detail, step: -1 };
    send({ is: "played", seed: -1, findings: [finding], facts: NO_FACTS });
  }
}

const NO_FACTS: Facts = { callers: 0, failures: 0, connections: 0, mistakes: 0, millis: 0 };
