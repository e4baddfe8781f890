import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SlowQuery } from "../../src/events.ts";
import { SlowLog } from "../../src/queries/slow-log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function makeLog() {
  const lines: string[] = [];
  const warn = (line: string) => void lines.push(line);
  const log = new SlowLog({ debug: warn, info: warn, warn, error: warn }, ({ sql }) => `slow: ${sql}`);
  const slow = (name: string, seconds = 0.5) => {
    const query: SlowQuery = { pool: "orders", seconds, sql: name, fingerprint: name };
    log.add(query);
  };
  return { log, lines, slow };
}

function flood(slow: (name: string) => void, statements: number, kind = "flood"): void {
  for (let at = 0; at < statements; at++) slow(`${kind}-${at}`);
}

test("a hundred statements a minute have a line at once", () => {
  const { lines, slow } = makeLog();
  flood(slow, 100);
  expect(lines).toHaveLength(100);
  slow("flood-5");
  slow("flood-100");
  expect(lines).toHaveLength(100);
});

test("beyond a hundred, the newest and the dearest statement have their lines by turns", () => {
  const { lines, slow } = makeLog();
  flood(slow, 500);
  for (let at = 0; at < 10; at++) slow("recurring");
  slow("newest");
  lines.length = 0;
  vi.advanceTimersByTime(500);
  expect(lines).toEqual(["slow: newest"]);
  vi.advanceTimersByTime(500);
  expect(lines).toEqual(["slow: newest", "slow: recurring"]);
});

test("one line a minute counts what had none, and the next minute begins anew", () => {
  const { lines, slow } = makeLog();
  flood(slow, 3_000);
  slow("slowest", 7);
  flood(slow, 3_000);
  vi.advanceTimersByTime(60_500);
  const sums = lines.filter((line) => line.includes("not logged"));
  expect(sums).toHaveLength(1);
  const [, queries, statements] = /: (\d+) queries of (\d+) statements in 60 s/.exec(sums[0] ?? "") ?? [];
  const own = lines.filter((line) => line.startsWith("slow: "));
  expect(own.length).toBeLessThanOrEqual(100 + 121);
  expect(own).toContain("slow: slowest");
  // All but the lines, and what came again of statements that had one.
  expect(Number(queries)).toBeLessThanOrEqual(6_001 - own.length);
  expect(Number(queries)).toBeGreaterThan(5_500);
  expect(Number(statements)).toBeLessThanOrEqual(2_901);
  expect(Number(statements)).toBeGreaterThan(2_700);

  lines.length = 0;
  flood(slow, 50, "later");
  expect(lines.filter((line) => line.startsWith("slow: later"))).toHaveLength(50);
});

test("nothing is kept and no timer runs when a flood is over", () => {
  const { log, lines, slow } = makeLog();
  flood(slow, 200);
  vi.advanceTimersByTime(61_000);
  expect(vi.getTimerCount()).toBe(0);
  lines.length = 0;
  log.flush(true);
  expect(lines).toEqual([]);
});

test("the end sums up what had no line", () => {
  const { log, lines, slow } = makeLog();
  flood(slow, 101);
  log.flush(true);
  expect(lines.at(-1)).toMatch(/^poolscope - slow queries not logged: 1 query of 1 statement in 0 s/);
});
