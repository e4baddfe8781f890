import { settled } from "../detached.ts";
import type { Logger } from "../logger.ts";

/** Runs a round at an interval. Keeps no process alive, lets no round overlap another, and survives every error. */
export class Sampler {
  readonly #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  /** @param intervalMillis 0: never. */
  constructor(intervalMillis: number, round: () => Promise<void>, logger: Logger) {
    if (intervalMillis === 0) return;
    const failed = (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error(`poolscope - a sample was lost: ${reason}; the next one is due in ${intervalMillis} ms`);
    };
    this.#timer = setInterval(() => {
      this.#running ??= settled(round, failed).finally(() => {
        this.#running = undefined;
      });
    }, intervalMillis);
    this.#timer.unref();
  }

  /** No round begins any more; resolves when the one under way, if any, is over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }
}
