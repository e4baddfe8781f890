import type { Line, Mode } from "./run-suite.ts";

export interface AllowedDifference {
  readonly mode: Exclude<Mode, "bare">;
  readonly lines: readonly Line[];
  /** The full title of the test in pg-pool's own suite. */
  readonly test: string;
  /** What the test fails with. */
  readonly with: string;
  readonly reason: string;
}

/**
 * Tests of pg-pool's own suite that pass on bare pools and fail on watched or recycled ones. Each difference has to be
 * inherent to a documented feature; there is none. An entry whose test passes again fails the suite, like a failing test
 * without an entry.
 */
export const ALLOWED_DIFFERENCES: readonly AllowedDifference[] = [];
