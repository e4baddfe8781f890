import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

const NANOS = 1e9;
/** Each look wakes the process: five a window are enough, and no more than ten a second. */
const LOOKS_PER_WINDOW = 5;
const LONGEST_RESOLUTION_MILLIS = 100;
/**
 * A monitor that was just started, or reset, does not know when the loop came round last, and misses a block under way;
 * one that is stopped at the first breath after a block has not measured it yet. The one between the two has it.
 */
const MONITORS = 3;

/**
 * How long the event loop was blocked at most: a process that does not come round measures times, and runs into
 * timeouts, that are its own. Covers the running sample interval and the two before it.
 */
export class EventLoopDelay {
  readonly #resolutionMillis: number;
  /** Oldest first. */
  readonly #monitors: IntervalHistogram[] = [];

  /** @param windowMillis How far apart {@link closeWindow} is called; 0: never, and nothing is monitored. */
  constructor(windowMillis: number) {
    this.#resolutionMillis = Math.min(LONGEST_RESOLUTION_MILLIS, Math.ceil(windowMillis / LOOKS_PER_WINDOW));
    this.closeWindow();
  }

  get maxSeconds(): number {
    return Math.max(0, ...this.#monitors.map(({ max }) => max)) / NANOS;
  }

  closeWindow(): void {
    if (this.#resolutionMillis === 0) return;
    const monitor = monitorEventLoopDelay({ resolution: this.#resolutionMillis });
    monitor.enable();
    this.#monitors.push(monitor);
    if (this.#monitors.length > MONITORS) this.#monitors.shift()?.disable();
  }

  stop(): void {
    for (const monitor of this.#monitors.splice(0)) monitor.disable();
  }
}
