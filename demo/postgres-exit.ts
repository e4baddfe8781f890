import { removePostgresSync } from "./postgres-processes.ts";

const SIGNALS: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/** What a process removes when it ends. */
class ExitCleanup {
  readonly #folders = new Set<string>();

  add(folder: string): void {
    if (this.#folders.size === 0) {
      process.on("exit", this.#removeAll);
      for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    }
    this.#folders.add(folder);
  }

  delete(folder: string): void {
    this.#folders.delete(folder);
    if (this.#folders.size > 0) return;
    process.removeListener("exit", this.#removeAll);
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
  }

  /** Without a listener a signal ends the process and there is no `exit` event; with others they decide. */
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return;
    this.#removeAll();
    process.kill(process.pid, signal);
  };

  readonly #removeAll = (): void => {
    for (const folder of this.#folders) {
      removePostgresSync(folder);
      this.delete(folder);
    }
  };
}

const KEY = Symbol.for("poolscope.demo.exit-cleanup");

/** One for all copies of this module, as vitest loads one for each project: each would wait for the other's listener. */
function exitCleanup(): ExitCleanup {
  const shared = globalThis as { [KEY]?: ExitCleanup };
  shared[KEY] ??= new ExitCleanup();
  return shared[KEY];
}

/**
 * From now on the PostgreSQL in this folder is stopped and removed when the process ends before it: by its own end,
 * `process.exit()`, an exception or a signal. Exit codes and signals stay what they would have been.
 */
export function removeAtExit(folder: string): void {
  exitCleanup().add(folder);
}

/** It has been removed. */
export function doneWith(folder: string): void {
  exitCleanup().delete(folder);
}
