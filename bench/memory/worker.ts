import type { Start } from "../harness/task.ts";
import { MEASURES, type MeasureName } from "./measures.ts";

export interface Argument {
  readonly measure: MeasureName;
  readonly isWatched: boolean;
}

export const start: Start<Argument, number, number> = async ({ measure, isWatched }) => ({
  round: (size) => MEASURES[measure](size, isWatched),
  // Each measure checks itself.
  finish: async () => {},
});
