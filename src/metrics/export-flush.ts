import { errorClass, errorCode } from "../error-type.ts";
import type { Logger } from "../logger.ts";
import type { Telemetry } from "./telemetry.ts";

/** Exports on demand, for processes that are frozen or end before the next interval. Never rejects. */
export class ExportFlush {
  readonly #telemetry: Telemetry;
  readonly #logger: Logger;
  #isFailing = false;

  constructor(telemetry: Telemetry, logger: Logger) {
    this.#telemetry = telemetry;
    this.#logger = logger;
  }

  /** Resolves when the export is acknowledged, has failed, or has taken `timeoutMillis`. */
  async run(timeoutMillis: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    // Not unref'd: a program whose last step is to await a flush gets beyond it.
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no acknowledgement within ${timeoutMillis} ms`), timeoutMillis);
    });
    const flushed = async () => this.#telemetry.flush(timeoutMillis);
    const problem = await Promise.race([
      // The message of an error may hold the URL, with a password.
      flushed().then(
        () => undefined,
        (error: unknown) => errorCode(error) ?? errorClass(error),
      ),
      late,
    ]);
    clearTimeout(timer);
    this.#report(problem);
  }

  /** Once for each time it begins or ceases to fail: a function may flush with every invocation. */
  #report(problem: string | undefined): void {
    if (problem !== undefined && !this.#isFailing) {
      this.#logger.warn(
        `poolscope - flush failed: ${problem}; cumulative numbers are sent again with the next export`,
      );
    } else if (problem === undefined && this.#isFailing) {
      this.#logger.info("poolscope - flush works again");
    }
    this.#isFailing = problem !== undefined;
  }
}
