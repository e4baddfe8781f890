import { afterEach, beforeEach, expect } from "vitest";

const seen: unknown[] = [];
const note = (mishap: unknown) => seen.push(mishap);

/** Fails each test of a file in which something happens that would end a process without handlers of its own. */
export function expectNoMishaps(): void {
  beforeEach(() => {
    process.on("unhandledRejection", note);
    process.on("uncaughtException", note);
  });
  afterEach(async () => {
    try {
      expect(await mishaps()).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
      process.off("uncaughtException", note);
    }
  });
}

/** What has happened since the last call. */
export async function mishaps(): Promise<unknown[]> {
  // Unhandled rejections are reported once the microtasks are done, errors of streams a tick later.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  return seen.splice(0);
}
