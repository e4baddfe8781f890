/** How long after the second signal another one is more than its echo: npm and process groups send each several times. */
const ECHO_MILLIS = 1_000;

interface SignalActions {
  begin(signal: NodeJS.Signals): void;
  hurry(): void;
  /** Ends the process now. */
  force(signal: NodeJS.Signals): void;
}

/**
 * Listens to the signals that begin a shutdown. Its listener is the first of each signal, so that the others are seen
 * before those that are called once are gone.
 */
export class ShutdownSignals {
  readonly #signals: readonly NodeJS.Signals[];
  readonly #actions: SignalActions;
  #others: readonly object[] = [];
  #othersOf: NodeJS.Signals | undefined;
  #hurriedAt: number | undefined;

  constructor(signals: readonly NodeJS.Signals[], actions: SignalActions) {
    this.#signals = signals;
    this.#actions = actions;
    for (const signal of signals) process.prependListener(signal, this.#onSignal);
  }

  stop(): void {
    for (const signal of this.#signals) process.removeListener(signal, this.#onSignal);
  }

  /**
   * How many other listeners of the signal may still be at work: those that are still there, and those that were called
   * once, of which nothing tells when they are done. One that has been removed since is done.
   */
  get othersAtWork(): number {
    const signal = this.#othersOf;
    if (signal === undefined) return 0;
    const present = new Set<object>(process.rawListeners(signal));
    return this.#others.filter((other) => present.has(other) || "listener" in other).length;
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#othersOf === undefined) {
      this.#othersOf = signal;
      this.#others = process.rawListeners(signal).filter((listener) => listener !== this.#onSignal);
      this.#actions.begin(signal);
    } else if (this.#hurriedAt === undefined) {
      this.#hurriedAt = performance.now();
      this.#actions.hurry();
    } else if (performance.now() - this.#hurriedAt >= ECHO_MILLIS) {
      this.#actions.force(signal);
    }
  };
}
