/**
 * Runs work whose promise no caller awaits: what a request, a timer, a signal or a listener starts. Its failure, thrown
 * or rejected, is passed to `failed` and ends here: unhandled, it would end the process. The part of `work` before its
 * first `await` runs at once.
 */
export function detach(work: () => unknown, failed: (error: unknown) => void = ignore): void {
  attempt(work, failed).catch(ignore);
}

/** The same for work whose end is waited for. Resolves when it is over, and never rejects. */
export function settled(work: () => unknown, failed: (error: unknown) => void = ignore): Promise<void> {
  return attempt(work, failed).then(ignore, ignore);
}

function attempt(work: () => unknown, failed: (error: unknown) => void): Promise<unknown> {
  return new Promise((resolve) => resolve(work())).catch(failed);
}

function ignore(): void {}
