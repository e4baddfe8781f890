import type { AwakeClock } from "../watch/awake-clock.ts";

/** The running sample interval and the two before it: a block counts in three samples at most. */
const WINDOWS = 3;

/**
 * How long synchronous work held up the event loop at most: the times that such a process measures, and the timeouts it
 * runs into, are its own. Covers the running sample interval and the two before it.
 */
export class EventLoopDelay {
  readonly #clock: AwakeClock;
  /** Milliseconds, oldest first. */
  readonly #windows: number[] = [0];

  /** @param windowMillis How far apart {@link closeWindow} is called; 0: never, and nothing is recorded */
  constructor(clock: AwakeClock, windowMillis: number) {
    this.#clock = clock;
    if (windowMillis > 0) clock.onBlock((millis) => this.#blocked(millis));
  }

  get maxSeconds(): number {
    this.#clock.look();
    return Math.max(...this.#windows) / 1000;
  }

  closeWindow(): void {
    this.#clock.look();
    this.#windows.push(0);
    if (this.#windows.length > WINDOWS) this.#windows.shift();
  }

  #blocked(millis: number): void {
    const last = this.#windows.length - 1;
    this.#windows[last] = Math.max(this.#windows[last] ?? 0, millis);
  }
}
