import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { startPostgres } from "../../demo/postgres-server.ts";
import type { Server } from "./application.ts";
import type { Finding, Subject } from "./run.ts";
import type { Facts, Message, Order } from "./worker.ts";

export interface FuzzOptions {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly concurrency: number;
  readonly subjects: readonly Subject[];
  readonly onPlayed?: (played: number, findings: readonly Finding[]) => void;
}

export interface FuzzReport {
  readonly played: number;
  readonly findings: readonly Finding[];
  readonly facts: Facts;
}

/** A backend is forked for each dial, and there are thousands. */
const CHEAP_BACKENDS = ["max_connections=600", "shared_buffers=8MB", "jit=off", "autovacuum=off"];
const CHUNK = 100;
const BLOCKED_MILLIS = 20_000;
/** Longer than any idle timeout of a plan: what a lost place left behind has its end. */
const EXIT_MILLIS = 25_000;
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Plays seeds on one PostgreSQL, in processes that may be lost. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const postgres = await startPostgres(CHEAP_BACKENDS.flatMap((setting) => ["-c", setting]));
  try {
    const server = await makeQuickRole({
      port: postgres.port,
      user: postgres.user,
      password: postgres.password,
    });
    const chunks: number[][] = [];
    const last = options.from + options.seeds;
    for (let first = options.from; first < last; first += CHUNK) {
      chunks.push(Array.from({ length: Math.min(CHUNK, last - first) }, (_, index) => first + index));
    }
    const report = { played: 0, findings: [] as Finding[], facts: { ...NO_FACTS } };
    const note = (played: number, findings: readonly Finding[], facts: Facts) => {
      report.played += played;
      report.findings.push(...findings);
      for (const key of Object.keys(NO_FACTS) as (keyof Facts)[]) report.facts[key] += facts[key];
      options.onPlayed?.(report.played, findings);
    };
    await Promise.all(
      Array.from({ length: options.jobs }, async () => {
        for (let seeds = chunks.shift(); seeds; seeds = chunks.shift()) {
          for (let left = seeds; left.length > 0; ) left = await playChunk(left, options, server, note);
        }
      }),
    );
    return report;
  } finally {
    await postgres.stop();
  }
}

const NO_FACTS = { callers: 0, failures: 0, connections: 0, mistakes: 0, millis: 0 };

/** A role whose password costs nothing to prove: a run dials thousands of times. */
async function makeQuickRole(admin: Server): Promise<Server> {
  const client = new pg.Client({ ...admin, host: "127.0.0.1", database: "postgres" });
  await client.connect();
  await client.query("SET scram_iterations = 1");
  await client.query("CREATE ROLE fuzz LOGIN SUPERUSER PASSWORD 'fuzz'");
  await client.end();
  return { port: admin.port, user: "fuzz", password: "fuzz" };
}

/**
 * Plays seeds in a process of their own.
 *
 * @returns Those that are still to be played, because the process was lost
 */
async function playChunk(
  seeds: readonly number[],
  options: FuzzOptions,
  server: Server,
  note: (played: number, findings: readonly Finding[], facts: Facts) => void,
): Promise<number[]> {
  const order: Order = { seeds, subjects: options.subjects, concurrency: options.concurrency, server };
  const child = spawn(process.execPath, ["--import", "tsx", WORKER, JSON.stringify(order)], {
    stdio: ["ignore", "inherit", "inherit", "pipe", "ipc"],
  });
  const left = new Set(seeds);
  let lastLine = "";
  let isFinished = false;
  let isBlocked = false;
  let watchdog: NodeJS.Timeout | undefined;
  const feed = (millis: number) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      isBlocked = true;
      child.kill("SIGKILL");
    }, millis);
  };
  feed(BLOCKED_MILLIS);
  child.stdio[3]?.on("data", (chunk) => {
    lastLine = String(chunk).trimEnd().split("\n").at(-1) ?? lastLine;
  });
  child.on("message", (message: Message) => {
    feed(message.is === "finished" ? EXIT_MILLIS : BLOCKED_MILLIS);
    if (message.is === "finished") isFinished = true;
    if (message.is !== "played") return;
    left.delete(message.seed);
    note(message.seed < 0 ? 0 : 1, message.findings, message.facts);
  });
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  clearTimeout(watchdog);
  if (isFinished && !isBlocked && code === 0) return [];
  if (!isFinished && lastLine === "") throw new Error(`The worker ended before it began: exit ${code}`);
  const [, seed = "-1", subject = "recycled", step = "-1"] = /^(\d+) (\w+) step (\d+)/.exec(lastLine) ?? [];
  const kind = isFinished ? "process kept alive" : isBlocked ? "event loop blocked" : "process ended";
  const detail = isFinished
    ? `after seeds ${seeds[0]} to ${seeds.at(-1)}`
    : `exit ${code}, last: ${lastLine}`;
  const finding: Finding = {
    seed: Number(seed),
    subject: subject as Subject,
    kind,
    detail,
    step: Number(step),
  };
  note(isFinished ? 0 : 1, [finding], NO_FACTS);
  left.delete(Number(seed));
  return isFinished ? [] : [...left];
}
