import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CORES } from "./cores.ts";
import type { Reply, Request } from "./task.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));

export interface WorkerOptions {
  /** More flags for Node. */
  readonly flags?: readonly string[];
}

/** Processes that take turns. Each is told when it is its turn, and sleeps otherwise. */
export class Team {
  readonly #workers = new Map<string, Worker>();

  /** @param module Of the {@link Task}, as `import.meta.url` has it */
  async start(name: string, module: URL, argument: unknown, options?: WorkerOptions): Promise<void> {
    const worker = new Worker(name, module, argument, options);
    this.#workers.set(name, worker);
    await worker.ready;
  }

  round<Output>(name: string, input: unknown): Promise<Output> {
    return this.#worker(name).request({ kind: "round", input }) as Promise<Output>;
  }

  /** Has each check what it counted, and ends it. */
  async finish(): Promise<void> {
    for (const worker of this.#workers.values()) await worker.request({ kind: "finish" });
  }

  /** Ends those that are left, whatever they do. */
  async end(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.end()));
    this.#workers.clear();
  }

  #worker(name: string): Worker {
    const worker = this.#workers.get(name);
    if (!worker) throw new Error(`no worker ${name}`);
    return worker;
  }
}

export async function withTeam<T>(use: (team: Team) => Promise<T>): Promise<T> {
  const team = new Team();
  try {
    return await use(team);
  } finally {
    await team.end();
  }
}

class Worker {
  readonly ready: Promise<unknown>;
  readonly #name: string;
  readonly #child: ChildProcess;

  constructor(name: string, module: URL, argument: unknown, { flags = [] }: WorkerOptions = {}) {
    this.#name = name;
    const node = [
      process.execPath,
      ...flags,
      "--import",
      "tsx",
      WORKER,
      module.href,
      JSON.stringify(argument),
    ];
    const [command = "", ...args] = CORES ? ["taskset", "-c", CORES.workers, ...node] : node;
    this.#child = spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: environment(),
    });
    this.ready = this.#reply();
  }

  async request(request: Request): Promise<unknown> {
    const reply = this.#reply();
    this.#child.send(request);
    return reply;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #reply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null, signal: string | null) => {
        this.#child.off("message", onMessage);
        reject(new Error(`${this.#name} ended with ${code ?? signal}`));
      };
      const onMessage = (reply: Reply) => {
        this.#child.off("exit", onExit);
        if (reply.kind === "failed") reject(new Error(`${this.#name}: ${reply.reason}`));
        else resolve(reply.kind === "done" ? reply.output : undefined);
      };
      this.#child.once("message", onMessage).once("exit", onExit);
    });
  }
}

/** Without what would change what is measured. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(OTEL|PG|NODE_|VITEST)/.test(name));
  return { ...Object.fromEntries(kept), NODE_ENV: "production" };
}
