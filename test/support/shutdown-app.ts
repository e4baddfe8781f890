import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { inject, onTestFinished } from "vitest";
import type { ShutdownAppConfig } from "../fixtures/shutdown-app.ts";
import { until } from "./until.ts";

const script = fileURLToPath(new URL("../fixtures/shutdown-app.ts", import.meta.url));

export interface ShutdownApp {
  readonly child: ChildProcess;
  readonly port: number;
  said(): string;
  /** Sends the signal, and waits for the end of the process. */
  end(signal: NodeJS.Signals): Promise<Ending>;
  /** Waits for the end of the process, counted from now. */
  ended(): Promise<Ending>;
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly millis: number;
}

export async function startShutdownApp(config: Partial<ShutdownAppConfig>): Promise<ShutdownApp> {
  const argument = JSON.stringify({ postgres: inject("postgres"), ...config });
  const child = spawn(process.execPath, ["--import", "tsx", script, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const closed = once(child, "close");
  const port = Number(await until(() => /port (\d+)/.exec(output)?.[1], 30_000));
  const ended = async () => {
    const since = performance.now();
    const [code, signal] = await exited;
    const millis = performance.now() - since;
    await closed;
    return { code, signal, millis };
  };
  return {
    child,
    port,
    said: () => output,
    ended,
    end(signal) {
      child.kill(signal);
      return ended();
    },
  };
}
