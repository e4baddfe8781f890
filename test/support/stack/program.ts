import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { until } from "../until.ts";

export interface Program {
  /** Everything it has written so far. */
  readonly output: string;
  /** Asks it to end, and waits. */
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Asked again and again; until it says true, the program is not started. */
  ready(program: Program): unknown;
}

const STARTS_WITHIN_MILLIS = 60_000;

/** Starts a program and waits until it is ready; fails with what it wrote when it is not, or ends before. */
export async function startProgram(command: string, options: ProgramOptions): Promise<Program> {
  const child = spawn(command, [...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "close");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += chunk));
  const program: Program = {
    get output() {
      return output;
    },
    stop: () => end(child, exited, "SIGTERM"),
    kill: () => end(child, exited, "SIGKILL"),
  };

  const ended = exited.then(([code]) =>
    Promise.reject(new Error(`${command} ended with ${code}:\n${output}`)),
  );
  // Once it is ready, its end is not a failure any more.
  ended.catch(() => {});
  const isReady = async () => {
    try {
      return await options.ready(program);
    } catch {
      return false;
    }
  };
  try {
    await Promise.race([until(isReady, STARTS_WITHIN_MILLIS), ended]);
  } catch (error) {
    await program.kill().catch(() => {});
    throw new Error(`${command} did not start:\n${output}`, { cause: error });
  }
  return program;
}

async function end(child: ChildProcess, exited: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await exited.catch(() => {});
}

/** Ports on loopback that nobody listens on, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function answersOk(url: string): Promise<boolean> {
  return (await fetch(url)).ok;
}
