import { AsyncLocalStorage } from "node:async_hooks";

/** What a run has left behind that keeps a process alive. */
export interface Timers {
  readonly made: { readonly timer: NodeJS.Timeout; readonly place: Error }[];
}

/** The run that the code being executed belongs to. */
export const currentRun: AsyncLocalStorage<{
  readonly timers: Timers;
  found(kind: string, detail: string): void;
}> = new AsyncLocalStorage();

/** From now on timers are noted with the run that made them. Those of `node:timers/promises` are the fuzz's own. */
export function noteTimers(): void {
  for (const name of ["setTimeout", "setInterval"] as const) {
    const original = globalThis[name] as (...args: unknown[]) => NodeJS.Timeout;
    const noted = (...args: unknown[]): NodeJS.Timeout => {
      const timer = original(...args);
      currentRun.getStore()?.timers.made.push({ timer, place: new Error("made here") });
      return timer;
    };
    // With what `util.promisify` looks for.
    Object.defineProperties(noted, Object.getOwnPropertyDescriptors(original));
    Object.assign(globalThis, { [name]: noted });
  }
}

/** Timers that have not fired and keep the process alive: where each was made. */
export function timersAlive(timers: Timers): string[] {
  return timers.made
    .filter(({ timer }) => !(timer as { _destroyed?: boolean })._destroyed && timer.hasRef())
    .map(({ place }) => placeOf(place));
}

function placeOf({ stack }: Error): string {
  const frames = (stack ?? "").split("\n").slice(2);
  const own = frames.find((frame) => /\/(src|pg-pool|pg)\//.test(frame)) ?? frames[0] ?? "";
  return own
    .trim()
    .replace(/^at /, "")
    .replace(/file:\/\/|\(.*\/(?=src\/|node_modules\/)/g, "(");
}
