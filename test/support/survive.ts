import { onTestFinished } from "vitest";

/**
 * Until the end of the test uncaught exceptions are collected and survived, as by an application with a handler of its
 * own.
 */
export function surviveUncaught(): unknown[] {
  const caught: unknown[] = [];
  const runners = process.listeners("uncaughtException");
  const collect = (error: unknown) => void caught.push(error);
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", collect);
  onTestFinished(() => {
    process.removeListener("uncaughtException", collect);
    for (const runner of runners) process.on("uncaughtException", runner);
  });
  return caught;
}
