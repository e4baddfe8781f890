import { setTimeout as sleep } from "node:timers/promises";

export interface Repeated {
  /** Waits for what is under way. */
  stop(): Promise<void>;
}

/** Does something again and again with pauses in between, several at once where it takes longer than the pause. */
export function repeatedly(pauseMillis: number, action: () => Promise<void>): Repeated {
  const stopping = new AbortController();
  const underway = new Set<Promise<void>>();
  const loop = async () => {
    while (!stopping.signal.aborted) {
      // What fails fails by design of the test that repeats it.
      const done = action()
        .catch(() => {})
        .finally(() => underway.delete(done));
      underway.add(done);
      await sleep(pauseMillis, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const looping = loop();
  return {
    async stop() {
      stopping.abort();
      await looping;
      await Promise.all(underway);
    },
  };
}
