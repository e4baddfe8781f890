import { expect, test } from "vitest";
import { SpokenReports } from "../../src/watch/spoken-reports.ts";
import type { WatchedPool } from "../../src/watch/watched-pool.ts";

test("a place beyond the thousandth is reported, and again only when it was forgotten", () => {
  const lines: string[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) };
  const reports = new SpokenReports(logger, {} as never, {} as never);
  const fault = (pool: number) => {
    reports.faulted({ name: `pool-${pool}` } as WatchedPool, new Error("mistake"));
    return lines.splice(0).length;
  };
  for (let pool = 0; pool < 1_500; pool++) expect(fault(pool)).toBe(1);
  expect(fault(1_499)).toBe(0);
  expect(fault(0)).toBe(1);
  expect(fault(0)).toBe(0);
});
