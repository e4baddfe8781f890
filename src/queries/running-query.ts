import type { CallerTask } from "../watch/callers.ts";
import type { ClientQueries } from "./client-queries.ts";

/** From the application's call of `client.query` until it is over. */
export class RunningQuery {
  text = "";
  summary: string | undefined;
  /** Whose it is; undefined: nobody is told. */
  task: CallerTask | undefined;
  /** Of `pool.query`, which returns the connection at the moment it is answered. */
  readonly isOfPool: boolean;
  readonly startedAt: number;
  readonly #of: ClientQueries;
  #isOver = false;

  constructor(of: ClientQueries, startedAt: number, isOfPool: boolean) {
    this.#of = of;
    this.startedAt = startedAt;
    this.isOfPool = isOfPool;
  }

  /**
   * May be called more than once; only the first call counts. Never throws.
   *
   * @param error Undefined or null: it went well
   * @param endedAt `performance.now()`
   */
  over(error: unknown, rows?: number, endedAt: number = performance.now()): void {
    this.overAfter((endedAt - this.startedAt) / 1000, error, rows);
  }

  /** Like {@link over}, for those who have a clock of their own. */
  overAfter(seconds: number, error: unknown, rows: number | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#of.ended(this, seconds, error, rows);
  }
}
