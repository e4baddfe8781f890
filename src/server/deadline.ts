/** A time limit that can be changed while it runs. Its timer never keeps the process alive. */
export class Deadline {
  /** Rejects when the time is over. */
  readonly expired: Promise<never>;
  readonly #startedAt: number = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #reject: (error: Error) => void = () => {};
  #isOver = false;

  constructor(millis: number, error: () => Error) {
    this.expired = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.#start(millis, error);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends `millis` from now, or `limitMillis` after the start if that is earlier. Not for one that is over. */
  shorten(millis: number, limitMillis: number, error: () => Error): void {
    clearTimeout(this.#timer);
    this.#start(Math.min(millis, limitMillis - (performance.now() - this.#startedAt)), error);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #start(millis: number, error: () => Error): void {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#reject(error());
    }, millis);
    this.#timer.unref();
  }
}
