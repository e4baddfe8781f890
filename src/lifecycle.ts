/** How far the application is: told by `/started` and `/ready`. */
export class Lifecycle {
  #isStarted = false;
  #isShuttingDown = false;

  /** The first pool is watched. */
  started(): void {
    this.#isStarted = true;
  }

  shuttingDown(): void {
    this.#isShuttingDown = true;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get isShuttingDown(): boolean {
    return this.#isShuttingDown;
  }
}
